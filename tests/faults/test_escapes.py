"""What stands in a name does nothing: not to a terminal, not to a spreadsheet."""

import csv
import io
import json
import os
import shutil

import pytest

from tests.faults.sessions import measure, quickly, write_pictures
from tests.integration.command import invoke

TERMINAL = (
    "\x1b[2J",
    "\x1b]0;title\x07",
    "\x1b]8;;file:///etc/passwd\x1b\\",
    "\x9b31m",
    "\r",
    "\x08\x08",
    "\x7f",
)
FORMULAS = ("=1+1", "+1", "-1+1", "@SUM(A1)", "=cmd|'/c calc'!A0", "=HYPERLINK(1)")
FORMATS = ("table", "markdown", "csv", "json", "latex")


def loud(text: str) -> set[str]:
    return {character for character in text if ord(character) < 32 or 127 <= ord(character) < 160} - {
        "\n",
        "\t",
    }


@pytest.fixture(scope="module")
def run_of_loud_names(tmp_path_factory):
    """Files, a source folder and transforms whose names are sequences for a terminal."""
    folder = tmp_path_factory.mktemp("escapes")
    pictures = write_pictures(folder / "in\x1b[31m", count=len(TERMINAL) + 2)
    for number, payload in enumerate(TERMINAL):
        os.rename(pictures / f"{number:02d}.png", pictures / f"{payload.replace('/', ':')}{number}.png")
    (pictures / "\x1b[2Jbroken.png").write_bytes(b"no picture")
    with quickly():
        measure(pictures, folder / "run\x1b[0m")
    return pictures, folder / "run\x1b[0m"


@pytest.mark.parametrize("style", FORMATS)
def test_no_command_lets_a_sequence_through(run_of_loud_names, style, tally):
    pictures, out = run_of_loud_names
    shown = list[str]()
    with quickly():
        options = ("--encoder", "lite", "--image-size", "16", "--metric-sample", "7", "--batch", "4")
        chosen = ("--transform", "blur", "--transform", "noise", "--out", str(out))
        commands = [
            ("run", str(pictures), *options, *chosen),
            ("summarise", str(out), "--format", style),
            ("clusters", str(out), "--format", style),
            ("verify", str(out)),
            ("run", str(pictures / "\x1b[31mno.png"), *options, *chosen),
        ]
        for command in commands:
            result = invoke(*command)
            shown += [result.stdout, result.stderr]
    lost = [(commands[at // 2][0], loud(text)) for at, text in enumerate(shown) if loud(text)]
    tally(tried=len(TERMINAL) * len(commands), lost=lost)


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    with quickly():
        measure(write_pictures(folder / "in", count=3), folder / "run")
    return folder / "run"


def from_a_stranger(run, folder, *, name: str):
    """A run folder whose record says other names than a plan may: nobody's plan was asked."""
    shutil.copytree(run, folder)
    record = json.loads((folder / "run.json").read_text())
    record["plan"]["transforms"][0]["name"] = record["encoder"]["name"] = name
    record["encoder"]["map_name"] = record["metrics"][0]["name"] = name
    (folder / "run.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize("payload", FORMULAS)
def test_no_cell_begins_a_formula(plain_run, tmp_path, payload, tally):
    folder, lost = from_a_stranger(plain_run, tmp_path / "run", name=payload), []
    shown = invoke("summarise", str(folder), "--format", "csv")
    for cell in (cell for row in csv.reader(io.StringIO(shown.stdout)) for cell in row):
        if cell[:1] in "=+-@\t\r" and cell and not number(cell):
            lost.append(cell)
    assert payload in shown.stdout
    tally(tried=1, lost=lost)


@pytest.mark.parametrize("style", FORMATS)
@pytest.mark.parametrize("command", ["summarise", "verify"])
def test_a_strangers_run_folder_is_as_harmless(plain_run, tmp_path, style, command, tally):
    lost = []
    for number, payload in enumerate(TERMINAL):
        folder = from_a_stranger(plain_run, tmp_path / str(number), name=payload)
        more = ("--format", style) if command == "summarise" else ("--folder-only",)
        shown = invoke(command, str(folder), *more)
        assert shown.returncode in (0, 1)
        if loud(shown.stdout + shown.stderr):
            lost.append(payload)
    tally(tried=len(TERMINAL), lost=lost)


def number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
