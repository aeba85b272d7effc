"""The command ``embshift report``, and how the demo ends."""

import shutil
import subprocess
import sys

import pytest

import embshift
from embshift.show.report.facts.run import gather_facts
from embshift.show.report.findings.data import describe_failures
from tests.integration.command import invoke, start


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
def test_the_demo_ends_with_explanation_figures_and_report(tmp_path):
    out = tmp_path / "demo"
    process = start(["demo", "--out", str(out)])
    shown, told = process.communicate()
    assert process.returncode == 0, told
    assert embshift.open_run(out).count_images() == 36
    count = len(list((out / "figures").glob("*.png")))
    assert count > 10
    explanation, figures, report = shown.splitlines()[-3:]
    assert explanation == f"explanation: {out / 'explain'}"
    assert embshift.open_run(out).explanation().record["images"] == 36
    assert figures == f"figures: {out / 'figures'} ({count} files)"
    assert report == f"report: {out / 'report.html'}"
    assert (out / "figures" / "l2_bar.png").is_file()
    page = (out / "report.html").read_text(encoding="utf-8")
    assert '"network":{"title":"Where in the network","findings":[{"about":"sample"' in page


def test_equal_files_are_told_to_count_once(photos, tmp_path):
    folder = tmp_path / "equal"
    folder.mkdir()
    first = sorted(photos.glob("*.jpg"))[0]
    for at in range(5):
        shutil.copy(first, folder / f"copy-{at}.jpg")
    options = {"encoder": "lite", "image_size": (64, 64), "workers": 0, "transforms": ["blur"]}
    facts = gather_facts(embshift.measure(folder, out=tmp_path / "run", **options), resamples=100)
    assert describe_failures(facts) == (
        "Nothing failed: all 5 inputs and all 5 views could be used."
        " 4 inputs equal earlier ones, and equal images count as one image."
    )
