"""A file's name can do nothing to a terminal."""

import pytest
from rich.table import Table

from embshift.cli.main import main
from embshift.cli.output.terminal import harmless, print_table


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
