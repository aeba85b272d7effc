"""Cells of Parquet files: the pages of a row group are read one after another up to the row that is wanted.

Reading goes on from there, so that rows in order cost each page once. Files may come from anyone.
"""

import hashlib
import os
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from threading import Lock
from typing import Any, BinaryIO, cast, final

import pyarrow as pa
import pyarrow.parquet as pq

from embshift.core.errors import ImageError
from embshift.core.remote import RangeFile
from embshift.images.batches import BYTES, ROWS, take_cell

__all__ = ["ParquetTable"]

_BATCH = 32 * 2**20  # bytes of images that are decoded at once, by the mean size in their row group
_MOST_PAGE = 2**29  # bytes of a page, which Arrow decodes whole and holds twice meanwhile
_MOST_ROWS = 64  # images that are decoded at once
_BUFFER = 2**20


@final
class ParquetTable:
    """A Parquet file, and the batch of images that was read last."""

    def __init__(self, path: str | RangeFile, *, name: str = "") -> None:
        self._path = path
        self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER)
        described = self._file.metadata
        self.schema, self.rows = self._file.schema_arrow, described.num_rows
        groups = range(described.num_row_groups)
        self._ends = list(accumulate(described.row_group(at).num_rows for at in groups))
        with _open_file(path) as file:
            self.etag = _digest_footer(file, name=name)
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._place, self._start = (-1, ""), 0
        self._batch: pa.RecordBatch | None = None
        self._rest: Iterator[pa.RecordBatch] = iter(())

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        return self._file.iter_batches(ROWS, columns=list(columns), use_threads=False)

    def cell(self, row: int, column: str, *, most: int) -> bytes | None:
        with self._lock:
            try:
                return self._find(row, column, most)
            except BaseException:
                self._forget()  # the iterator may stand anywhere
                raise

    def _find(self, row: int, column: str, most: int) -> bytes | None:
        group = bisect_right(self._ends, row)
        at = row - (self._ends[group - 1] if group else 0)
        if self._place != (group, column) or at < self._start:
            self._begin(group, column, most)
        while self._batch is None or at >= self._start + len(self._batch):
            self._start += 0 if self._batch is None else len(self._batch)
            self._batch = None  # before the next, so that only one is held
            self._batch = next(self._rest, None)
            if self._batch is None or not len(self._batch):
                raise pa.ArrowInvalid(f"its row group ends after {self._start:,} rows")
        return take_cell(self._batch, at - self._start)

    def _begin(self, group: int, column: str, most: int) -> None:
        self._forget()
        kind = self.schema.field(column).type
        leaf = f"{column}.{BYTES}" if pa.types.is_struct(kind) else column
        parts = self._find_parts(group, leaf)
        size = sum(part.total_uncompressed_size for part in parts) // max(self._count(group), 1)
        pages = {part.data_page_offset for part in parts}
        pages |= {part.dictionary_page_offset for part in parts if part.has_dictionary_page}
        with _open_file(self._path) as file:
            largest = max((_read_page_size(file, at) for at in pages if at), default=0)
        if size > most or largest > _MOST_PAGE:
            raise ImageError(
                f"a page of its row group has {largest:,} bytes, and its images {size:,} each; at most"
                f" {_MOST_PAGE:,} are decoded at once; write the file with smaller row groups",
                status="too_large",
            )
        rows = max(1, min(_MOST_ROWS, _BATCH // max(size, 1)))
        self._place = group, column
        self._rest = self._file.iter_batches(rows, row_groups=[group], columns=[leaf], use_threads=False)

    def _find_parts(self, group: int, leaf: str) -> list[Any]:
        described = self._file.metadata.row_group(group)
        parts = (described.column(at) for at in range(described.num_columns))
        return [part for part in parts if part.path_in_schema == leaf]

    def _count(self, group: int) -> int:
        return self._ends[group] - (self._ends[group - 1] if group else 0)


@contextmanager
def _open_file(path: str | RangeFile) -> Generator[BinaryIO]:
    """Open a file for reading; one at an address is open as long as its table."""
    if isinstance(path, RangeFile):
        yield cast(BinaryIO, path)
        return
    with open(path, "rb") as file:
        yield file


def _read_page_size(file: BinaryIO, at: int) -> int:
    """Return the size of a page when it is decoded, from the first fields of its header.

    They are two whole numbers in Thrift's compact form, each after a byte that tells its field and type: the
    kind of the page, and its size. A header that does not begin so is left to Arrow to complain about.
    """
    file.seek(max(at, 0))
    held = file.read(16)
    if held[:1] != b"\x15" or held[2:3] != b"\x15":
        return 0
    number = 0
    for place, byte in enumerate(held[3:8]):
        number |= (byte & 127) << (7 * place)
        if byte < 128:
            break
    return number >> 1  # zigzag; sizes are not below zero


def _digest_footer(file: BinaryIO, *, name: str = "") -> str:
    """Return the digest of a Parquet file's description: where each part of it is, and how large.

    Args:
        file: The file.
        name: What its server calls its content.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 8))
    length = int.from_bytes(file.read(4), "little")
    file.seek(max(0, size - 8 - length))
    return hashlib.sha256(name.encode() + file.read(length)).hexdigest()[:16]
