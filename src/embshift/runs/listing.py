"""The frozen listing of a run: which row is which file, fixed when the run first starts."""

import hashlib
import os
from bisect import bisect_right
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, NamedTuple, final, overload

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embshift.core.paths import is_url
from embshift.core.seeding import choose_positions, make_generator
from embshift.core.types import FrozenRow, ImageRecord
from embshift.runs.arrow import as_array
from embshift.runs.files import write_aside
from embshift.runs.record_columns import RECORD, make_record, record_columns
from embshift.runs.seal import write_sealed_parts

__all__ = [
    "LISTED",
    "ListedRow",
    "Listing",
    "describe_row",
    "freeze_listing",
    "is_there",
    "list_rows",
    "stat_record",
    "write_listing",
]


def freeze_listing(
    records: Iterable[ImageRecord],
    *,
    count: int,
    chunk: int,
    sample: int,
    seed: int,
    after: "Listing | None" = None,
) -> Iterator[FrozenRow]:
    """Return the rows of a listing, with a seeded metric sample.

    Args:
        records: The records, in order.
        count: Number of records.
        chunk: Rows per chunk.
        sample: Size of the metric sample over the whole listing.
        seed: The run's seed.
        after: The listing that the new rows are appended to, in chunks of their own; None for a new one.
    """
    first_row = 0 if after is None else len(after)
    first_chunk = 0 if after is None else 1 + max(after.chunks, default=-1)
    left = sample - (0 if after is None else after.sampled)
    chosen = _sample(count, left, seed=seed, part=first_row)
    for position, record in enumerate(records):
        size, mtime_ns = stat_record(record)
        yield FrozenRow(
            record=replace(record, row=first_row + position),
            sampled=position in chosen,
            chunk=first_chunk + position // chunk,
            size=size,
            mtime_ns=mtime_ns,
        )


def _sample(count: int, wanted: int, *, seed: int, part: int) -> Container[int]:
    if wanted >= count:
        return range(count)
    rng = make_generator(seed, "metric sample", part)
    return frozenset(choose_positions(count, max(wanted, 0), rng=rng).tolist())


def stat_record(record: ImageRecord) -> tuple[int, int]:
    """Return size in bytes and modification time in nanoseconds; both -1 without a readable file.

    Of a range of a file, and of an address, the listing knows the size, and the etag tells changes.
    """
    if record.path is None:
        return _held(record.content)
    if record.length >= 0 or is_url(record.path):
        return record.length, -1
    try:
        found = os.stat(record.path)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return -1, -1
    return found.st_size, found.st_mtime_ns


def is_there(record: ImageRecord) -> bool:
    """Return whether the file of an image is there; an address is asked only when it is read."""
    if record.path is None or is_url(record.path):
        return True
    try:
        return os.path.exists(record.path)
    except ValueError:  # a name that no file can have
        return False


def _held(content: Any) -> tuple[int, int]:
    """Return the size of an image from memory, and a digest of its pixels in place of a time."""
    pixels = np.asarray(content)
    digest = hashlib.blake2b(pixels.tobytes(), digest_size=7).digest()
    return pixels.nbytes, int.from_bytes(digest, "little")


_OWN = [
    ("sampled", pa.bool_()),
    ("chunk", pa.int64()),
    ("size", pa.int64()),
    ("mtime_ns", pa.int64()),
]
_SCHEMA = pa.schema([*RECORD, *map(pa.field, *zip(*_OWN, strict=True))])

_NUMBERS = ("row", "index", "offset", "length", "chunk", "size", "mtime_ns")
_NAMES = ("member", "path", "source_id")
_ENCODINGS = dict.fromkeys(_NUMBERS, "DELTA_BINARY_PACKED") | dict.fromkeys(_NAMES, "DELTA_BYTE_ARRAY")
"""What is near to the value above it is stored as the difference; the other columns repeat few values."""

_OPTIONS: Mapping[str, Any] = {
    "compression": "zstd",
    "column_encoding": _ENCODINGS,
    "use_dictionary": ["source", "column", "etag", "caption", "label"],
}


ROWS_IN_GROUP = 8192
"""Rows that are held in memory at once."""


def write_listing(path: Path, rows: Iterable[FrozenRow]) -> None:
    """Write a listing as one Parquet file; paths are stored as bytes, since they need not be valid text."""
    remaining = iter(rows)
    parts = (_table(part) for part in iter(lambda: list(islice(remaining, ROWS_IN_GROUP)), []))
    write_aside(path, lambda aside: write_sealed_parts(aside, parts, _SCHEMA, **_OPTIONS))


def _table(rows: Sequence[FrozenRow]) -> pa.Table:
    columns = record_columns([row.record for row in rows]) | {
        name: [getattr(row, name) for row in rows] for name, _ in _OWN
    }
    return pa.table(columns, schema=_SCHEMA)


@final
class Listing(Sequence[FrozenRow]):
    """A frozen listing, of which only some thousand rows are in memory at a time.

    Args:
        path: The listing's file, which is kept open.
        content: Images that were handed over in memory, by the index of their records: they are in no file.

    Raises:
        OSError: The file cannot be read.
        pyarrow.ArrowException: The file is not a Parquet file.
    """

    def __init__(self, path: Path, *, content: Mapping[int, ImageRecord] | None = None) -> None:
        self._file, self._content = pq.ParquetFile(path), content or {}
        described = self._file.metadata
        groups = [described.row_group(at).num_rows for at in range(described.num_row_groups)]
        self._ends = list(accumulate(groups))
        self._held: tuple[int, list[FrozenRow]] = (-1, [])

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, at: int) -> FrozenRow: ...

    @overload
    def __getitem__(self, at: slice) -> list[FrozenRow]: ...

    def __getitem__(self, at: int | slice) -> FrozenRow | list[FrozenRow]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        place = at + len(self) if at < 0 else at
        if not 0 <= place < len(self):
            raise IndexError(at)
        group = bisect_right(self._ends, place)
        return self._group(group)[place - (self._ends[group - 1] if group else 0)]

    def __iter__(self) -> Iterator[FrozenRow]:
        for group in range(len(self._ends)):
            yield from self._group(group)

    def close(self) -> None:
        """Close the file."""
        self._file.close(force=True)

    @cached_property
    def chunks(self) -> Mapping[int, int]:
        """Number of rows of every chunk, by chunk."""
        found = Counter[int]()
        for part in self._columns("chunk"):
            numbers, counts = np.unique(as_array(part["chunk"]), return_counts=True)
            found.update(dict(zip(numbers.tolist(), counts.tolist(), strict=True)))
        return found

    @property
    def sampled(self) -> int:
        """Number of rows in the metric sample."""
        return sum(part["sampled"].to_pylist().count(True) for part in self._columns("sampled"))

    @property
    def in_memory(self) -> bool:
        """Whether any of its images was handed over in memory."""
        return any(part["path"].null_count for part in self._columns("path"))

    def _columns(self, *names: str) -> Iterator[pa.Table]:
        for group in range(len(self._ends)):
            yield self._file.read_row_group(group, columns=list(names))

    def _group(self, group: int) -> list[FrozenRow]:
        if self._held[0] != group:
            lines = self._file.read_row_group(group).to_pylist()
            self._held = (group, [_frozen(line, self._content) for line in lines])
        return self._held[1]


def _frozen(line: Mapping[str, Any], content: Mapping[int, ImageRecord]) -> FrozenRow:
    record = make_record(line)
    return FrozenRow(
        record=record if record.path is not None else content.get(record.index, record),
        sampled=line["sampled"],
        chunk=line["chunk"],
        size=line["size"],
        mtime_ns=line["mtime_ns"],
    )


class ListedRow(NamedTuple):
    """What a row of the table ``images`` shares with its row of the listing.

    Attributes:
        row: Position in the listing.
        path: Path of the file.
        place: Position in the file.
        offset: First byte in the file; None unless the image is a member of an archive.
        column: Column of the table; None unless the image is in one.
        sampled: Whether it belongs to the metric sample.
    """

    row: int
    path: str | None
    place: int
    offset: int | None
    column: str | None
    sampled: bool


LISTED = ("row", "path", "path_bytes", "index", "sampled", "offset", "column")
"""Columns of ``images`` that `list_rows` takes; those of `TABLES` that are later may lack."""


def list_rows(images: pa.Table) -> list[ListedRow]:
    """Return what every row of a table ``images`` shares with the listing."""
    there = [name for name in LISTED if name in images.column_names]
    return [
        ListedRow(
            row=line["row"],
            path=os.fsdecode(line["path_bytes"]) if line["path_bytes"] else line["path"],
            place=line["index"],
            offset=line.get("offset"),
            column=line.get("column"),
            sampled=line["sampled"],
        )
        for line in images.select(there).to_pylist()
    ]


def describe_row(frozen: FrozenRow) -> ListedRow:
    """Return what a row of the listing shares with its row of ``images``."""
    record = frozen.record
    return ListedRow(
        row=record.row,
        path=record.path,
        place=record.index,
        offset=record.offset or None,
        column=record.column or None,
        sampled=frozen.sampled,
    )
