"""Everything that is printed: names from outside are made harmless, and tables fit the terminal.

Rich is imported when the first table is printed.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.segment import Segment
    from rich.table import Table

__all__ = ["harmless", "natural_width", "print_message", "print_table", "print_text", "terminal_width"]

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Everything that moves a cursor, colours, or renames a window; line feeds and tabs stay."""

_FILE_WIDTH = 200


def harmless(text: str) -> str:
    """Return the text with U+FFFD in place of control characters, which a file's name may hold."""
    return _CONTROLS.sub("\ufffd", text)


def print_text(text: str) -> None:
    """Print a result on standard output."""
    print(harmless(text))


def print_message(text: str) -> None:
    """Print a message on standard error."""
    print(harmless(text), file=sys.stderr)


def terminal_width() -> int:
    """Return the characters in a line of standard output; 200 where it is not a terminal."""
    if not sys.stdout.isatty():
        return _FILE_WIDTH
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() and int(given) else os.get_terminal_size().columns or _FILE_WIDTH


def print_table(table: "Table", *, stacked: "Table | None" = None) -> None:
    """Print a table on standard output, as wide as the terminal; 200 columns where there is no terminal.

    Args:
        table: The table.
        stacked: A narrower form of it, printed where the terminal is too narrow for the table. Its lines are
            never cut.
    """
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_FILE_WIDTH, no_color=True)
    elif stacked is not None and natural_width(table) > console.width:
        table, console = stacked, Console(highlight=False, width=max(console.width, natural_width(stacked)))
    _print_harmless(console, table)


def natural_width(table: "Table") -> int:
    """Return the width of a table that nothing presses, in columns."""
    from rich.console import Console

    return Console(width=1000).measure(table).maximum  # a console never measures beyond its own width


def _print_harmless(console: "Console", shown: "RenderableType") -> None:
    """Print what holds names from outside; colours are kept, since they are apart from the text."""
    from rich.segment import Segments

    console.print(Segments(_harmless_segments(console.render(shown))))


def _harmless_segments(segments: "Iterable[Segment]") -> "Iterator[Segment]":
    from rich.segment import Segment

    for segment in segments:
        yield segment if segment.control else Segment(harmless(segment.text), segment.style)
