"""Tables that fit a width: their columns are split over several tables, and no cell is cut."""

from collections.abc import Iterator, Sequence

from rich.table import Column, Table

from embshift.show.text.markup import open_console, open_table

__all__ = ["natural_width", "split_table"]

_KEYS = frozenset({"cluster", "transform", "first", "second"})
"""Headings of the columns that name a row: every part repeats them."""

_WIDEST = 1_000_000  # a console never measures beyond its own width


def natural_width(table: Table) -> int:
    """Return the width of a table that nothing presses, in characters."""
    return open_console(width=_WIDEST).measure(table).maximum


def split_table(table: Table, *, width: int) -> tuple[Table, ...]:
    """Split a table into parts that fit a width, each with the columns that name its rows.

    Args:
        table: The table.
        width: Characters in a line. A part with a single further column may be wider.

    Returns:
        The parts, the caption below the last; the table itself where it fits.
    """
    if natural_width(table) <= width:
        return (table,)
    keys = [column for column in table.columns if column.header in _KEYS]
    groups = list(_group(table, keys, [one for one in table.columns if one not in keys], width=width))
    caption = str(table.caption or "")
    return tuple(
        _part(table, [*keys, *group], caption=caption if at == len(groups) else "")
        for at, group in enumerate(groups, start=1)
    )


def _group(
    table: Table, keys: Sequence[Column], others: Sequence[Column], *, width: int
) -> Iterator[list[Column]]:
    """Yield the columns of each part: as many as fit, and at least one."""
    group = list[Column]()
    for column in others:
        if group and natural_width(_part(table, [*keys, *group, column])) > width:
            yield group
            group = []
        group.append(column)
    yield group


def _part(table: Table, columns: Sequence[Column], *, caption: str = "") -> Table:
    """Return a table of some of the columns."""
    part = open_table(caption)
    for column in columns:
        part.add_column(
            column.header,
            justify=column.justify,
            no_wrap=column.no_wrap,
            min_width=column.min_width,
            max_width=column.max_width,
        )
    cells = zip(*(column.cells for column in columns), strict=True)
    for row, line in zip(table.rows, cells, strict=True):
        part.add_row(*line, style=row.style)
    return part
