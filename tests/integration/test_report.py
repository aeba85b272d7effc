"""The command ``embshift report``, and how the demo ends."""

import shutil
import subprocess
import sys

import pytest

import embshift
from embshift.cli.commands.figures import render_paper
from tests.integration.command import invoke


@pytest.fixture
def run(lite_run, tmp_path):
    """Copy the run somewhere else, without the images it was made from."""
    shutil.copytree(
        lite_run.folder, tmp_path / "run", ignore=shutil.ignore_patterns("figures", "report.html")
    )
    return embshift.open_run(tmp_path / "run")


def test_it_writes_the_file_and_says_where(run, tmp_path):
    done = invoke("report", str(run.folder), "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{run.folder / 'report.html'}\n", "")
    elsewhere = invoke("report", str(run.folder), "--out", str(tmp_path / "new" / "page.html"))
    assert elsewhere.stdout == f"{tmp_path / 'new' / 'page.html'}\n"
    first, second = (run.folder / "report.html").read_bytes(), (tmp_path / "new" / "page.html").read_bytes()
    assert first == second
    assert 1_200_000 < len(first) < 5_000_000


def test_a_folder_that_is_no_run_is_wrong_use(tmp_path):
    done = invoke("report", str(tmp_path))
    assert done.returncode == 2
    assert "is not a run folder" in done.stderr


def test_a_file_that_cannot_be_written_is_exit_code_four(run):
    (run.folder / "taken").write_text("")
    done = invoke("report", str(run.folder), "--out", str(run.folder / "taken" / "page.html"))
    assert done.returncode == 4
    assert "cannot be written" in done.stderr


def test_it_loads_no_measuring(run):
    code = (
        "import sys; from embshift.cli import main; code = main(['report', sys.argv[1]]);"
        "print(code, {'torch', 'transformers', 'albumentations'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(run.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 set()"


@pytest.mark.slow
def test_the_demo_ends_with_the_figures_of_the_paper_and_the_report(run, capsys):
    render_paper(run)
    figures, report = capsys.readouterr().out.splitlines()
    count = len(list((run.folder / "figures").glob("*.png")))
    assert count > 10
    assert figures == f"figures: {run.folder / 'figures'} ({count} files)"
    assert report == f"report: {run.folder / 'report.html'}"
    assert (run.folder / "figures" / "l2_bar.png").is_file()
    assert (run.folder / "report.html").is_file()
