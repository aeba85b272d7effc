"""A file's name can do nothing to a terminal."""

import os
import subprocess

import pytest
from rich.table import Table

from embshift.cli.main import main
from embshift.cli.output.terminal import harmless, print_table
from tests.integration.command import COMMAND
from tests.synthetic_runs import Wanted, make_run


@pytest.mark.parametrize("payload", ["\x1b[31m", "\x1b]0;title\x07", "\x9b2J", "\r", "\x08", "\x7f", "\x00"])
def test_control_characters_are_shown_as_one_that_does_nothing(payload):
    shown = harmless(f"a{payload}b\n\tc")
    assert not {"\x1b", "\x9b", "\x07", "\r", "\x08", "\x7f", "\x00"} & set(shown)
    assert shown.startswith("a\ufffd")
    assert shown.endswith("b\n\tc")


def test_other_words_stay():
    assert harmless("é 漢字 ▲ –\n") == "é 漢字 ▲ –\n"


def test_tables_pass_through_it(capsys):
    table = Table("name", caption="a\x1b[31mb")
    table.add_row("no\x1b]0;x\x07")
    print_table(table)
    shown = capsys.readouterr().out
    assert not {"\x1b", "\x07"} & set(shown)
    assert "no\ufffd]0;x" in shown


def test_errors_pass_through_it(capsys):
    assert main(["run", "no\x1b]0;x\x07.jpg", "--encoder", "lite"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_verbose_errors_keep_their_exit_code(capsys):
    assert main(["run", "no.jpg", "--encoder", "lite", "-v"]) == 2
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "error: source 'no.jpg' does not exist" in shown


SHOWN = (["list"], ["list", "metrics"], ["--help"], ["run", "--help"], ["--version"])


def run_into(output, arguments, *, buffered):
    """Run the command with this standard output; Python writes at the end, or every text at once."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    return subprocess.run(
        [*COMMAND, *arguments], stdout=output, stderr=subprocess.PIPE, text=True, env=environment, check=False
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a system without /dev/full")
@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("arguments", SHOWN)
def test_an_output_that_takes_nothing_more_is_said(arguments, buffered):
    with open("/dev/full", "w") as full:
        done = run_into(full, arguments, buffered=buffered)
    assert done.returncode == 4
    assert done.stderr.startswith("error: standard output cannot be written: No space left on device")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("arguments", SHOWN)
def test_a_reader_that_has_gone_ends_the_command_without_a_word(arguments, buffered):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = run_into(gone, arguments, buffered=buffered)
    assert (done.returncode, done.stderr) == (141, "")


def test_messages_that_nobody_takes_stop_nothing(tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "summarise", str(tmp_path)], stdout=subprocess.PIPE, stderr=full, check=False
        )
    assert (done.returncode, done.stdout) == (2, b"")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_characters_that_an_output_lacks_are_replaced(tmp_path, encoding):
    run = make_run(tmp_path / "run", Wanted(transforms=("漢字", "blur"), images=3, views=False))
    done = subprocess.run(
        [*COMMAND, "summarise", str(run.folder)],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"?? " in done.stdout
    assert b"blur" in done.stdout
