"""Tables in the formats of ``--format``: for the terminal, Markdown, LaTeX, comma-separated values."""

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from embshift.core.errors import UnknownNameError
from embshift.show.text.latex import latex

__all__ = [
    "FORMATS",
    "Cells",
    "comma_separated",
    "find_writer",
    "markdown",
    "open_console",
    "open_table",
]

FORMATS = ("table", "markdown", "csv", "json", "latex")
"""Names for ``--format``."""

Cells: TypeAlias = tuple[list[str], list[list[str]]]
"""A header and rows."""


def open_console(**options: Any) -> Console:
    """Return a console that prints every text as it is: names come from outside, and are no markup.

    Args:
        **options: Options of `rich.console.Console`.
    """
    return Console(markup=False, emoji=False, highlight=False, **options)


def open_table(caption: str) -> Table:
    """Return an empty table for the terminal with a caption below it."""
    return Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=caption, caption_justify="left")


def find_writer(
    style: str, *, known: Sequence[str] = FORMATS[1:]
) -> Callable[[Sequence[str], Sequence[Sequence[str]]], str]:
    """Return the function that writes a header and rows in a format.

    Args:
        style: "markdown", "latex" or "csv".
        known: Names that the error message suggests from.

    Raises:
        UnknownNameError: For another style.
    """
    writers = {"markdown": markdown, "latex": latex, "csv": comma_separated}
    if style not in writers:
        raise UnknownNameError("format", style, known)
    return writers[style]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table; all columns but the first are right-aligned."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def comma_separated(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write comma-separated values for spreadsheets; no cell can run as a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_safe(cell) for cell in header])
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue().rstrip("\n")


def _safe(cell: str) -> str:
    # A spreadsheet runs a cell that begins like a formula; a quote before it makes it text.
    formula = cell[:1] in ("=", "+", "@", "\t", "\r") or (cell[:1] == "-" and not _is_number(cell))
    return f"'{cell}" if formula else cell


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
