"""Batches of a table that holds images in a column."""

import pyarrow as pa

__all__ = ["BYTES", "PATH", "ROWS", "take_cell"]

BYTES = "bytes"
"""The field that holds the image where a cell is a structure, as the library datasets writes it."""

PATH = ".path"
"""Behind a column's name: the field that holds the name of an image's file."""

ROWS = 1024
"""Rows whose texts are read at once."""


def take_cell(batch: pa.RecordBatch, row: int) -> bytes | None:
    """Return the bytes in a row of a batch with one column; None where it is null."""
    column = batch.column(0)
    if pa.types.is_struct(column.type):
        if not column[row].is_valid:
            return None
        column = column.field(BYTES)
    return column[row].as_py()
