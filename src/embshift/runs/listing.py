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
from typing import Any, final, overload

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embshift.core.seeding import choose_positions, make_generator
from embshift.core.types import FrozenRow, ImageRecord
from embshift.runs.arrow import as_array
from embshift.runs.files import write_aside
from embshift.runs.seal import write_sealed_parts

__all__ = [
    "Listing",
    "freeze_listing",
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
    """Return size in bytes and modification time in nanoseconds; both -1 without a readable file."""
    if record.path is None:
        return _held(record.content)
    try:
        found = os.stat(record.path)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _held(content: Any) -> tuple[int, int]:
    """Return the size of an image from memory, and a digest of its pixels in place of a time."""
    pixels = np.asarray(content)
    digest = hashlib.blake2b(pixels.tobytes(), digest_size=7).digest()
    return pixels.nbytes, int.from_bytes(digest, "little")


_SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("source", pa.binary()),
        ("member", pa.binary()),
        ("index", pa.int64()),
        ("path", pa.binary()),
        ("sampled", pa.bool_()),
        ("chunk", pa.int64()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
    ]
)


ROWS_IN_GROUP = 8192
"""Rows that are held in memory at once."""


def write_listing(path: Path, rows: Iterable[FrozenRow]) -> None:
    """Write a listing as one Parquet file; paths are stored as bytes, since they need not be valid text."""
    remaining = iter(rows)
    parts = (_table(part) for part in iter(lambda: list(islice(remaining, ROWS_IN_GROUP)), []))
    write_aside(path, lambda aside: write_sealed_parts(aside, parts, _SCHEMA, compression="zstd"))


def _table(rows: Sequence[FrozenRow]) -> pa.Table:
    columns = {
        "row": [row.record.row for row in rows],
        "source": [os.fsencode(row.record.source) for row in rows],
        "member": [os.fsencode(row.record.member) for row in rows],
        "index": [row.record.index for row in rows],
        "path": [None if row.record.path is None else os.fsencode(row.record.path) for row in rows],
        "sampled": [row.sampled for row in rows],
        "chunk": [row.chunk for row in rows],
        "size": [row.size for row in rows],
        "mtime_ns": [row.mtime_ns for row in rows],
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
    record = ImageRecord(
        row=line["row"],
        source=os.fsdecode(line["source"]),
        member=os.fsdecode(line["member"]),
        index=line["index"],
        path=None if line["path"] is None else os.fsdecode(line["path"]),
    )
    return FrozenRow(
        record=record if record.path is not None else content.get(record.index, record),
        sampled=line["sampled"],
        chunk=line["chunk"],
        size=line["size"],
        mtime_ns=line["mtime_ns"],
    )


def list_rows(images: pa.Table) -> list[tuple[int, str | None, bool]]:
    """Return row, path and membership in the metric sample for every row of a table ``images``."""
    return [
        (
            line["row"],
            os.fsdecode(line["path_bytes"]) if line["path_bytes"] else line["path"],
            line["sampled"],
        )
        for line in images.select(["row", "path", "path_bytes", "sampled"]).to_pylist()
    ]
