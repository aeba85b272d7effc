"""The option ``--format`` of commands that print a table, and what belongs to LaTeX."""

import argparse

from embshift.cli.options.completers import complete, no_words
from embshift.core.errors import UsageError

__all__ = ["add_format", "check_format"]


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add ``--format``, ``--caption`` and ``--label``."""
    add = parser.add_argument
    add(
        "--format",
        choices=("table", "markdown", "csv", "json", "latex"),
        default="table",
        help="(default: %(default)s; csv and json have full precision)",
    )
    caption = add("--caption", metavar="TEXT", help="for --format latex: the table's caption")
    label = add("--label", metavar="NAME", help="for --format latex: the table's label")
    for action in (caption, label):
        complete(action, no_words)


def check_format(parsed: argparse.Namespace) -> None:
    """Raise `UsageError` where a caption or a label is given for another format than LaTeX."""
    for option in ("caption", "label"):
        if getattr(parsed, option) is not None and parsed.format != "latex":
            raise UsageError(f"--{option} belongs to --format latex, and --format is {parsed.format}")
