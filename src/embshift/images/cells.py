"""Tables that hold images in a column: Parquet files, and Arrow files such as data sets saved to disk.

No file is read whole. Of Parquet, the pages of a row group are read one after another up to the row that is
wanted, and reading goes on from there; of Arrow, the system maps the file into memory. Files may come from
anyone.
"""

import hashlib
import os
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import accumulate
from threading import Lock
from typing import Any, BinaryIO, Protocol, cast, final

import pyarrow as pa
import pyarrow.parquet as pq

from embshift.core.errors import ImageError
from embshift.core.remote import RangeFile, StoredObject, is_remote_address, stat_address
from embshift.core.types import ImageRecord
from embshift.images.facts import CHANGED, Facts, check_size

__all__ = ["BYTES", "PATH", "ImageTable", "open_table", "read_cell"]

BYTES = "bytes"
"""The field that holds the image where a cell is a structure, as the library datasets writes it."""

PATH = ".path"
"""Behind a column's name: the field that holds the name of an image's file."""

_BATCH = 32 * 2**20  # bytes of images that are decoded at once, by the mean size in their row group
_MOST_PAGE = 2**29  # bytes of a page, which Arrow decodes whole and holds twice meanwhile
_MOST_ROWS = 64  # images that are decoded at once
_ROWS = 1024  # rows whose texts are read at once
_BUFFER = 2**20
_OPEN = 4  # tables that a process keeps open
_ENDS = 2**16  # bytes at both ends of an Arrow file that stand for its content


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


def open_stored_table(address: str, found: StoredObject | None = None) -> ImageTable:
    """Open a Parquet file at an address, or return it if it is open; it is read by ranges.

    Args:
        address: The address.
        found: What is said of it now; where None, what was said when the process opened it first.

    Raises:
        OSError: If it cannot be read.
        ImageError: If it is missing.
        pyarrow.ArrowException: If it is none.
    """
    if found is None and address not in _stored:
        found = stat_address(address)
        if found is None:
            raise ImageError(f"{address} does not exist (any more)", status="missing")
    if found is not None:
        _stored[address] = found
    now = _stored[address]
    return _open_stored(address, now.size, now.etag)


_stored = dict[str, StoredObject]()


@lru_cache(maxsize=_OPEN)
def _open_stored(address: str, size: int, etag: str) -> ImageTable:
    if not address.partition("?")[0].lower().endswith(".parquet"):
        raise pa.ArrowInvalid("Arrow files are read from this machine alone; write it as Parquet")
    return _ParquetTable(RangeFile(address, size=size, etag=etag), name=etag)


@lru_cache(maxsize=_OPEN)
def _open(path: str, state: tuple[int, ...]) -> ImageTable:
    return _ParquetTable(path) if path.lower().endswith(".parquet") else _ArrowTable(path)


def _take(batch: pa.RecordBatch, row: int) -> bytes | None:
    column = batch.column(0)
    if pa.types.is_struct(column.type):
        if not column[row].is_valid:
            return None
        column = column.field(BYTES)
    return column[row].as_py()


@final
class _ParquetTable:
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
        return self._file.iter_batches(_ROWS, columns=list(columns), use_threads=False)

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
        return _take(self._batch, at - self._start)

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


@final
class _ArrowTable:
    """An Arrow file or stream, mapped into memory."""

    def __init__(self, path: str) -> None:
        self._mapped = pa.memory_map(path)
        self._batches = list(_check_batches(self._mapped))
        if not self._batches:
            raise pa.ArrowInvalid("it holds no rows")
        self.schema = self._batches[0].schema
        self._ends = list(accumulate(len(batch) for batch in self._batches))
        self.rows = self._ends[-1]
        self.etag = _digest_ends(path)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            for start in range(0, len(batch), _ROWS):
                part = batch.slice(start, _ROWS)
                names = [name.removesuffix(PATH) for name in columns]
                yield pa.RecordBatch.from_arrays([_project(part, name) for name in columns], names=names)

    def cell(self, row: int, column: str, *, most: int) -> bytes | None:
        group = bisect_right(self._ends, row)
        batch = self._batches[group].select([column])
        return _take(batch, row - (self._ends[group - 1] if group else 0))


def _project(batch: pa.RecordBatch, name: str) -> Any:
    if name in batch.schema.names:
        return batch.column(name)
    column = batch.column(name.removesuffix(PATH))
    return column.flatten()[column.type.get_field_index(PATH.removeprefix("."))]


def _check_batches(mapped: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a file, each checked: what they state decides which memory is read."""
    held = 0
    for batch in _read_batches(mapped):
        batch.validate(full=True)
        held += batch.nbytes
        if held > 2 * mapped.size() + _BUFFER:
            raise pa.ArrowInvalid("its columns are compressed; write it as Parquet: dataset.to_parquet(path)")
        if len(batch):
            yield batch


def _read_batches(mapped: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
    try:
        reader = pa.ipc.open_stream(mapped)
    except pa.ArrowInvalid:
        mapped.seek(0)
        file = pa.ipc.open_file(mapped)
        yield from (file.get_batch(at) for at in range(file.num_record_batches))
    else:
        yield from reader


def _digest_ends(path: str) -> str:
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        digest = hashlib.sha256(b"%d" % size + file.read(_ENDS))
        file.seek(max(0, size - _ENDS))
        return hashlib.sha256(digest.digest() + file.read(_ENDS)).hexdigest()[:16]
