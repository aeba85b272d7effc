"""The command line itself: help, lists, mistakes and completion, all without measuring anything."""

import os
import re
import subprocess
import sys

import pytest

from embshift.cli import main
from embshift.cli.commands.completion import SHELLS
from embshift.cli.commands.lists import LISTED
from embshift.cli.output.columns import format_columns
from embshift.cli.parser import build_parser
from embshift.encoders import ENCODERS
from embshift.measurement.plan.plan import DEFAULTS
from embshift.metrics import METRICS
from embshift.show.figures import FIGURES
from embshift.transforms import TRANSFORMS
from embshift.transforms.presets import list_preset_names
from tests.integration.command import COMMAND, invoke


def complete(tmp_path, line, *, shell="bash"):
    """The words that a shell is told for an unfinished line, by argcomplete's protocol."""
    told = tmp_path / "words"
    environment = os.environ | {
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_IFS": "\n",
        "_ARGCOMPLETE_SHELL": shell,
        "_ARGCOMPLETE_SUPPRESS_SPACE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(told),
    }
    subprocess.run(COMMAND, env=environment, cwd=tmp_path, check=True, capture_output=True)
    return told.read_text(encoding="utf-8").splitlines()


NAMED = {name for name, entry in ENCODERS.items() if not (entry.model_types or entry.written)}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("embshift summ", {"summarise"}),
        ("embshift run --tr", {"--transform"}),
        ("embshift run --transform ", {*TRANSFORMS, "horizontal_flip", "jpeg_95", "webp_95"}),
        ("embshift run --metric ", {*METRICS}),
        ("embshift run --encoder ", NAMED),
        ("embshift run --preset ", {*list_preset_names()}),
        ("embshift run --runtime ", {"torch", "compiled", "openvino"}),
        ("embshift run --seed ", set()),
        ("embshift figures run --only ", {*FIGURES}),
        ("embshift sweep photos --transforms al", {"all"}),
        ("embshift summarise run --show d", {"direction", "differences"}),
        ("embshift list m", {"metrics"}),
        ("embshift completion ", {"--help", "--quiet", "--verbose", *SHELLS}),
    ],
)
def test_words_are_completed(tmp_path, line, words):
    assert {*complete(tmp_path, line)} == words


def test_paths_are_completed(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "mine.toml").touch()
    assert {*complete(tmp_path, "embshift run photo")} == {"photos/", "photo.jpg"}
    assert "mine.toml" in complete(tmp_path, "embshift run --preset ")


def test_names_are_described_where_the_shell_shows_it(tmp_path):
    (line,) = complete(tmp_path, "embshift run --metric l", shell="zsh")
    assert line == f"l2:{METRICS['l2'].spec.summary}"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_for_each_shell(shell):
    script = invoke("completion", shell).stdout
    assert "embshift" in script
    assert "_ARGCOMPLETE" in script
    assert ("complete --command embshift" in script) == (shell == "fish")


def test_programs_are_marked_for_global_completion():
    import embshift.__main__
    import embshift.cli

    for module in (embshift.cli, embshift.__main__):
        with open(module.__file__, encoding="utf-8") as opened:
            assert "PYTHON_ARGCOMPLETE_OK" in opened.read(1024)


def test_completion_imports_nothing_heavy(tmp_path):
    line = "embshift run --metric "
    environment = os.environ | {
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "words"),
    }
    command = [sys.executable, "-X", "importtime", "-m", "embshift"]
    found = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    imported = {line.split("|")[-1].strip().partition(".")[0] for line in found.stderr.splitlines()}
    assert "argcomplete" in imported
    heavy = {"torch", "transformers", "albumentations", "cv2", "scipy", "pyarrow", "matplotlib", "pandas"}
    assert not imported & {*heavy, "numpy", "jaxtyping", "PIL", "rich"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["summarize"], "unknown command 'summarize'; did you mean 'summarise'?"),
        (["frobnicate"], "unknown command 'frobnicate'; known: baseline, "),
        (["-q", "list"], "-q stands before the command; write 'embshift list -q …'"),
        (["run", "x", "--encodr", "lite"], "unknown option '--encodr'; did you mean '--encoder'"),
        (["run", "x", "--encodr=lite"], "unknown option '--encodr'; did you mean '--encoder'"),
        (["list", "metric"], "unknown list 'metric'; did you mean 'metrics'?"),
        (["run", "x", "--metric", "cosin"], "unknown metric 'cosin'; did you mean 'cosine'?"),
        (["run", "x", "--transform", "nois"], "unknown transform 'nois'; did you mean 'noise'?"),
        (["run", "x", "--transform", "blr:3"], "unknown transform 'blr'; did you mean 'blur'"),
        (["run", "x", "--encoder", "lit"], "unknown encoder 'lit'; did you mean 'lite'"),
        (["run", "x", "--preset", "papr"], "unknown preset 'papr'; did you mean 'paper'?"),
        (["sweep", "x", "--transforms", "blr"], "unknown transform 'blr'; did you mean 'blur'"),
        (["match", "x", "--metric", "cosin"], "unknown metric 'cosin'"),
        (["figures", "x", "--only", "dendogram"], "unknown figure 'dendogram'; did you mean 'dendrogram'?"),
        (["run"], "no source given; expected a folder, an image, a glob, a list of paths, .tar or .parquet"),
    ],
)
def test_mistakes_are_named(arguments, said, capsys):
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith(f"error: {said}")
    assert not shown.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["list", "metrics", "more"], "unexpected argument 'more'"),
        (["run", "x", "--image-size", "a"], "'a' is not a size; expected N or H,W in pixels"),
        (["run", "x", "--background", "red"], "'red' is not a colour; expected R,G,B"),
        (["run", "x", "--draws", "two"], "argument --draws: invalid int value: 'two'"),
    ],
)
def test_values_that_cannot_be_parsed(arguments, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_list_of_all_names_has_one_line_for_each_kind():
    lines = invoke("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*LISTED]
    assert {*re.split(r"[ ,]+", lines[1])[1:]} == {*METRICS}


def test_an_option_of_run_for_every_field_that_has_one():
    parsed = build_parser("run").parse_args(["run", "x"])
    assert {*DEFAULTS} <= {*vars(parsed)}
    given = {name: getattr(parsed, name) for name in DEFAULTS if name != "sources"}
    assert {*given.values()} == {None}


def test_compile_is_the_compiled_runtime():
    assert build_parser("run").parse_args(["run", "x", "--compile"]).runtime == "compiled"


def test_columns_are_wrapped_to_the_width():
    rows = [("a", "some words that are long " * 4), ("bcd", "short")]
    lines = format_columns(("name", "what"), rows, width=40).splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[0] == "name   what"
    assert lines[-1] == "bcd    short"
    assert len(lines) > 5
