"""The notebook of the documentation runs from its first cell to its last, and is stored without results."""

import ast
import json
import re
import shlex
from pathlib import Path

import pytest

from embshift.cli.main import main

TOUR = Path(__file__).parents[2] / "docs" / "tour.ipynb"


def read_cells(kind):
    """The text of the cells of a kind, in order."""
    content = json.loads(TOUR.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    return ["".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == kind]


def run_cell(text, names):
    """Run a cell as Jupyter does; return the value of its last expression, as it would be shown."""
    if text.startswith("!"):
        command = re.sub(r"\{(\w+)\}", lambda found: str(names[found[1]]), text[1:])
        program, *arguments = shlex.split(command)
        assert program == "embshift"
        assert main(arguments) == 0
        return None
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    *first, last = ast.parse("\n".join(lines)).body
    shown = isinstance(last, ast.Expr)
    exec(compile(ast.Module([*first, *([] if shown else [last])], []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names) if shown else None


@pytest.mark.slow
def test_the_tour_runs_with_a_few_images(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names, shown = {}, []
    for cell in read_cells("code"):
        shown.append(run_cell(cell.replace("images = 36", "images = 6"), names))
    assert names["images"] == 6
    assert all(repr(one) for one in shown)
    folder = tmp_path / "tour"
    assert (folder / "run" / "report.html").stat().st_size > 100_000
    assert {path.name for path in (folder / "run" / "figures").iterdir()} == {
        f"{name}.{kind}" for name in ("l2_bar", "recall_bar") for kind in ("pdf", "png")
    }
    assert (folder / "sweep" / "run.json").exists()
    assert "figures/l2_bar.png" in capsys.readouterr().out
    assert names["compared"].answers()


def test_the_notebook_is_stored_without_results():
    content = json.loads(TOUR.read_text(encoding="utf-8"))
    for cell in content["cells"]:
        assert set(cell) <= {"cell_type", "id", "metadata", "source", "outputs", "execution_count"}
        assert not cell["metadata"]
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert TOUR.stat().st_size < 20_000


def test_every_page_that_the_tour_names_is_there():
    pages = re.findall(r"\]\((\w[\w-]*\.md)\)", "\n".join(read_cells("markdown")))
    assert len(pages) > 5
    assert [page for page in pages if not (TOUR.parent / page).is_file()] == []
