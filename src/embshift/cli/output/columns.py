"""Plain columns of text, for lists that are printed at once: rich takes a tenth of a second to import."""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest

__all__ = ["format_columns"]

_GAP = "   "
_LEAST = 12  # columns that a cell keeps, where it needs so many


def format_columns(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> str:
    """Format rows as columns; long cells are wrapped, the longest ones first.

    Args:
        header: The columns' names.
        rows: The cells, as many a row as there are names.
        width: Characters in a line.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    free = width - len(_GAP) * (len(widths) - 1)
    while sum(widths) > free and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    rule = "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    lines = [*_format_row(header, widths), rule]
    for row in rows:
        lines += _format_row(row, widths)
    return "\n".join(lines)


def _format_row(cells: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    wrapped = [textwrap.wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for parts in zip_longest(*wrapped, fillvalue=""):
        padded = (f"{part:{width}}" for part, width in zip(parts, widths, strict=True))
        yield _GAP.join(padded).rstrip()
