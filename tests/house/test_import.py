"""Importing is light, and what is public is there and says what it is."""

import json
import subprocess
import sys

import pytest

import embshift

HEAVY = ("torch", "transformers", "albumentations", "cv2", "pyarrow", "scipy", "matplotlib", "pandas")


def loaded(code):
    """Top-level modules after some code, in a process of its own."""
    report = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    command = [sys.executable, "-c", f"{code}\n{report}"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(found.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded("import embshift") & {*HEAVY, "numpy", "PIL", "jaxtyping", "rich"}


SHOWING = (
    "show.run",
    "show.text.summary",
    "show.figures.render",
    "show.figures.material",
    "show.report.page",
    "analysis.between_runs",
    "analysis.of_run",
    "runs.chunks",
    "runs.schema",
    "core.types",
)


def test_the_showing_half_loads_no_measuring():
    """All of its modules in one process: none loads what measures, or it would be there."""
    code = "\n".join(f"import embshift.{module}" for module in SHOWING)
    assert not loaded(code) & {"torch", "transformers", "albumentations"}


def test_opening_a_run_loads_no_measuring_either():
    code = "import embshift\ntry: embshift.open_run('/nowhere')\nexcept embshift.ShiftError: pass"
    assert not loaded(code) & {"torch", "transformers", "albumentations", "pandas"}


QUICK = (
    "",
    "--version",
    "--help",
    "run --help",
    "sweep --help",
    "summarise --help",
    "clusters --help",
    "figures --help",
    "verify --help",
    "summarize",
    "run x --encodr lite",
    "run x --metric cosin",
    "run x --transform nois",
    "run x --encoder lit",
    "run x --preset papr",
    "run x --resize linea",
    "sweep x --transforms blr",
    "figures x --only dendogram",
    "list",
    "list transforms",
    "list metrics",
    "list encoders",
    "list presets",
    "list figures",
    "completion bash",
)
"""Commands that are answered at once."""

IN_TURN = """
import contextlib, io, json, sys
from embshift.cli import main

found = {}
for command in json.loads(sys.argv[1]):
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        with contextlib.redirect_stderr(io.StringIO()):
            main(command.split())
    found[command] = sorted({name.partition(".")[0] for name in sys.modules} & {*json.loads(sys.argv[2])})
print(json.dumps(found))
"""


def test_help_lists_and_mistakes_import_nothing_heavy():
    heavy = [*HEAVY, "numpy", "jaxtyping", "PIL", "rich"]
    command = [sys.executable, "-c", IN_TURN, json.dumps(QUICK), json.dumps(heavy)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == {name: [] for name in QUICK}


def test_opening_a_run_waits_for_no_matplotlib():
    assert "matplotlib" not in loaded("import embshift.show.run")


def test_importing_the_showing_half_sets_nothing_for_other_libraries():
    assert loaded(
        "import os; before = dict(os.environ); import embshift.show.run; assert dict(os.environ) == before"
    )


@pytest.mark.parametrize("name", embshift.__all__)
def test_public_names_resolve_and_say_what_they_are(name):
    found = getattr(embshift, name)
    assert name in dir(embshift)
    assert isinstance(found, str) or (found.__doc__ or "").strip()


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'embshift' has no attribute 'mesure'"):
        _ = embshift.mesure
