"""Tables that hold images in a column: Parquet files, and Arrow files such as data sets saved to disk.

No file is read whole. Of Parquet, the pages of a row group are read one after another up to the row that is
wanted, and reading goes on from there; of Arrow, the system maps the file into memory. Files may come from
anyone.
"""

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol

import pyarrow as pa

from embshift.core.errors import ImageError
from embshift.core.remote import RangeFile, StoredObject, is_remote_address, stat_address
from embshift.core.types import ImageRecord
from embshift.images.arrow_cells import ArrowTable
from embshift.images.facts import CHANGED, Facts, check_size
from embshift.images.parquet_cells import ParquetTable

__all__ = ["ImageTable", "note_stored_table", "open_table", "read_cell"]

_OPEN = 4  # tables that a process keeps open


class ImageTable(Protocol):
    """A table that is open.

    Attributes:
        schema: Its columns.
        rows: Number of its rows.
        etag: Digest of what describes its content.
    """

    schema: pa.Schema
    rows: int
    etag: str

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield some columns, part by part, in any order; "column.path" is a field of a structure."""
        ...

    def cell(self, row: int, column: str, *, most: int) -> bytes | None:
        """Return the bytes in a cell; None where it is null."""
        ...


def read_cell(record: ImageRecord, most: int, facts: Facts) -> bytes:
    """Read the image in a cell of a table.

    Raises:
        ImageError: If it is null, too large or damaged, or the table is no longer the listed one.
        OSError: If the table cannot be read.
    """
    path = str(record.path)
    try:
        table = open_table(path)
        if (
            record.etag not in ("", table.etag)
            or record.index >= table.rows
            or record.column not in table.schema.names
        ):
            message = "the table is another than the listed one: it was written again since it was listed"
            raise ImageError(message, status=CHANGED)
        data = table.cell(record.index, record.column, most=most)
    except (pa.ArrowException, MemoryError) as error:
        status = "too_large" if isinstance(error, MemoryError) else "damaged"
        told = " ".join(str(error).split())[:300]
        message = f"row {record.index} of column '{record.column}' cannot be read: {told}"
        raise ImageError(message, status=status) from error
    if data is None:
        raise ImageError(
            f"row {record.index} of column '{record.column}' is null; expected the bytes of an image",
            status="empty",
        )
    check_size(len(data), most, facts, what="image")
    return data


def open_table(path: str) -> ImageTable:
    """Open a table, or return it if it is open and has not changed.

    Raises:
        OSError: If it cannot be read.
        pyarrow.ArrowException: If it is none.
    """
    if is_remote_address(path):
        return open_stored_table(path)
    found = os.stat(path)
    return _open(path, (found.st_size, found.st_mtime_ns, found.st_ino))


def open_stored_table(address: str) -> ImageTable:
    """Open a Parquet file at an address, or return it if it is open; it is read by ranges.

    Its state is what `note_stored_table` was told, or else what was said when the process opened it first.

    Raises:
        OSError: If it cannot be read.
        ImageError: If it is missing.
        pyarrow.ArrowException: If it is none.
    """
    if address not in _stored:
        found = stat_address(address)
        if found is None:
            raise ImageError(f"{address} does not exist (any more)", status="missing")
        note_stored_table(found)
    now = _stored[address]
    return _open_stored(address, now.size, now.etag)


def note_stored_table(found: StoredObject) -> None:
    """Note what is said of a table at an address now, as which it is opened from here on."""
    _stored[found.address] = found


_stored = dict[str, StoredObject]()


@lru_cache(maxsize=_OPEN)
def _open_stored(address: str, size: int, etag: str) -> ImageTable:
    if not address.partition("?")[0].lower().endswith(".parquet"):
        raise pa.ArrowInvalid("Arrow files are read from this machine alone; write it as Parquet")
    return ParquetTable(RangeFile(address, size=size, etag=etag), name=etag)


@lru_cache(maxsize=_OPEN)
def _open(path: str, state: tuple[int, ...]) -> ImageTable:
    return ParquetTable(path) if path.lower().endswith(".parquet") else ArrowTable(path)
