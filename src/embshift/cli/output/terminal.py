"""Everything that is printed: names from outside are made harmless, and tables fit the terminal.

Rich is imported when the first table is printed.
"""

import io
import os
import re
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from embshift.core.errors import StorageError
from embshift.runs.addresses import name_addresses

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.segment import Segment
    from rich.table import Table

__all__ = [
    "check_output",
    "finish_output",
    "harmless",
    "print_message",
    "print_table",
    "print_text",
    "replace_unknown_characters",
    "silence_output",
    "terminal_width",
]

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""Everything that moves a cursor, colours, or renames a window; line feeds and tabs stay."""

_FILE_WIDTH = 200


def harmless(text: str) -> str:
    """Return the text with U+FFFD in place of control characters, which a file's name may hold.

    Runs in stores are called by their addresses, whose copies nobody has named.
    """
    return _CONTROLS.sub("\ufffd", name_addresses(text))


def replace_unknown_characters() -> None:
    """Have characters that the encoding of standard output lacks printed as "?"; standard error does so."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")


@contextmanager
def check_output() -> Generator[None]:
    """Print a result inside.

    Raises:
        StorageError: If standard output takes nothing more, as on a full disk.
        BrokenPipeError: If its reader has gone.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_output()
        raise StorageError(
            f"standard output cannot be written: {error.strerror}; what was printed is incomplete"
        ) from error


def finish_output() -> None:
    """Write what was printed and not yet written.

    Raises:
        StorageError: As in `check_output`.
        BrokenPipeError: As in `check_output`.
    """
    if sys.stdout is not None:  # None where it was closed before the start
        with check_output():
            sys.stdout.flush()


def silence_output() -> None:
    """Discard what is still to be written on standard output: writing it at the exit would fail again."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_text(text: str) -> None:
    """Print a result on standard output.

    Raises:
        StorageError: As in `check_output`.
        BrokenPipeError: As in `check_output`.
    """
    with check_output():
        print(harmless(text))


def print_message(text: str) -> None:
    """Print a message on standard error; where that cannot be written, the work goes on without it."""
    if sys.stderr is not None:  # None where it was closed before the start
        with suppress(OSError):
            print(harmless(text), file=sys.stderr, flush=True)


def terminal_width() -> int:
    """Return the characters in a line of standard output; 200 where it is not a terminal."""
    if sys.stdout is None or not sys.stdout.isatty():
        return _FILE_WIDTH
    given = os.environ.get("COLUMNS", "")
    return int(given) if given.isdecimal() and int(given) else os.get_terminal_size().columns or _FILE_WIDTH


def print_table(table: "Table", *, stacked: "Table | None" = None) -> None:
    """Print a table on standard output; no cell is ever cut.

    In a pipe or file, lines are as long as the table needs. On a terminal that is too narrow for the table,
    its columns are printed in several parts, one below the other.

    Args:
        table: The table.
        stacked: A narrower form of it, which is printed on a terminal that is too narrow for the table.
    """
    from embshift.show.text.fitting import natural_width, split_table
    from embshift.show.text.markup import open_console

    console = open_console()
    if not console.is_terminal:
        wide = open_console(width=max(_FILE_WIDTH, natural_width(table)), no_color=True)
        return _print_harmless(wide, table)
    if stacked is not None and natural_width(table) > console.width:
        table = stacked
    for part in split_table(table, width=console.width):
        _print_harmless(open_console(width=max(console.width, natural_width(part))), part)
    return None


def _print_harmless(console: "Console", shown: "RenderableType") -> None:
    """Print what holds names from outside; colours are kept, since they are apart from the text."""
    from rich.segment import Segments

    with check_output():
        console.print(Segments(_harmless_segments(console.render(shown))))


def _harmless_segments(segments: "Iterable[Segment]") -> "Iterator[Segment]":
    from rich.segment import Segment

    for segment in segments:
        yield segment if segment.control else Segment(harmless(segment.text), segment.style)
