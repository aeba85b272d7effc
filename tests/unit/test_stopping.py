"""What a command that was stopped by Ctrl-C says of how to go on."""

import sys

import pytest

import embshift.cli.main  # noqa: F401 - the package's own "main" is the function
from embshift.cli.parser import build_parser

program = sys.modules["embshift.cli.main"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "photos"], "interrupted; to continue, run the same command with --out of this run"),
        (["work", "run", "--part", "0/2"], "interrupted; to continue, run the same command again"),
        (["explain", "run"], "interrupted; to continue, run the same command again"),
        (["summarise", "run"], "interrupted"),
        (["figures", "run"], "interrupted"),
    ],
)
def test_only_what_goes_on_is_told_to(arguments, told, monkeypatch, capsys):
    def stop(_):
        raise KeyboardInterrupt

    parsed = build_parser().parse_args(arguments)
    parsed.command = stop
    assert program._carry_out(parsed) == 130
    assert capsys.readouterr().err.strip().endswith(told)


def test_every_command_that_is_named_exists():
    known = build_parser()._subparsers._group_actions[0].choices  # pyright: ignore
    assert {*program._INTO_FOLDERS, *program._ON_RUNS} <= set(known)
