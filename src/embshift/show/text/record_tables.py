"""Rows with names as a table: for a terminal, and as text with all digits."""

from collections.abc import Sequence

from rich.table import Table

from embshift.core.records import Record
from embshift.show.text.markup import find_writer
from embshift.show.text.numbers import format_cell, format_exact

__all__ = ["fill_records", "write_records"]


def write_records(records: Sequence[Record], *, style: str) -> str:
    """Format rows as text; csv keeps full precision.

    Args:
        records: The rows, all with the same names.
        style: "markdown", "csv" or "latex".

    Raises:
        UnknownNameError: For another style.
    """
    write = format_exact if style == "csv" else format_cell
    header = list(records[0]) if records else []
    rows = [
        [write(value) if isinstance(value, float) else str(value) for value in record.values()]
        for record in records
    ]
    return find_writer(style)(header, rows)


def fill_records(table: Table, records: Sequence[Record]) -> None:
    """Add columns and rows to a table for the terminal; the column "transform" is aligned to the left."""
    for name in records[0] if records else ():
        table.add_column(name, justify="left" if name == "transform" else "right", no_wrap=True)
    for record in records:
        table.add_row(*(format_cell(one) if isinstance(one, float) else str(one) for one in record.values()))
