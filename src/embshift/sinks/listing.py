"""The frozen listing of a run: what row is which file, fixed when the run first starts."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embshift.seeding import generator
from embshift.sinks.files import write_aside
from embshift.sinks.seal import write_sealed
from embshift.types import ImageRecord

__all__ = [
    "FrozenRow",
    "ListingChange",
    "compare_listing",
    "freeze",
    "listed_rows",
    "read_listing",
    "write_listing",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenRow:
    """One row as frozen.

    Attributes:
        record: The record.
        sampled: Whether it is in the metric sample.
        chunk: The chunk that it is committed with.
        size: Bytes of the file when it was listed; -1 where there is no readable file.
        mtime_ns: Its modification time then, in nanoseconds; -1 likewise.
    """

    record: ImageRecord
    sampled: bool
    chunk: int
    size: int
    mtime_ns: int


def freeze(
    records: Sequence[ImageRecord], *, chunk: int, sample: int, seed: int, after: Sequence[FrozenRow] = ()
) -> tuple[FrozenRow, ...]:
    """Rows for a listing, with a seeded metric sample.

    Args:
        records: The records, in order.
        chunk: Rows in a chunk.
        sample: Size of the metric sample over the whole listing.
        seed: The run's seed.
        after: Rows that are already frozen; the new ones follow them in chunks of their own.
    """
    first_row = len(after)
    first_chunk = 1 + max((row.chunk for row in after), default=-1)
    left = sample - sum(row.sampled for row in after)
    chosen = _sample(len(records), left, seed=seed, part=first_row)
    rows = list[FrozenRow]()
    for position, record in enumerate(records):
        size, mtime_ns = _stat(record)
        rows.append(
            FrozenRow(
                record=replace(record, row=first_row + position),
                sampled=position in chosen,
                chunk=first_chunk + position // chunk,
                size=size,
                mtime_ns=mtime_ns,
            )
        )
    return tuple(rows)


def _sample(count: int, wanted: int, *, seed: int, part: int) -> frozenset[int]:
    if wanted >= count:
        return frozenset(range(count))
    order = generator(seed, "metric sample", part).permutation(count)
    return frozenset(np.sort(order[: max(wanted, 0)]).tolist())


def _stat(record: ImageRecord) -> tuple[int, int]:
    if record.path is None:
        return _held(record.content)
    try:
        found = os.stat(record.path)
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _held(content: Any) -> tuple[int, int]:
    """For a picture handed over in memory its bytes and a number made of them take the place of a time."""
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


def write_listing(path: Path, rows: Sequence[FrozenRow]) -> None:
    """The listing as one Parquet file; names are bytes, since a file system's names need not be text."""
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
    table = pa.table(columns, schema=_SCHEMA)
    write_aside(path, lambda aside: write_sealed(aside, table, compression="zstd"))


def read_listing(path: Path) -> tuple[FrozenRow, ...]:
    """The listing as it was frozen."""
    return tuple(
        FrozenRow(
            record=ImageRecord(
                row=row["row"],
                source=os.fsdecode(row["source"]),
                member=os.fsdecode(row["member"]),
                index=row["index"],
                path=None if row["path"] is None else os.fsdecode(row["path"]),
            ),
            sampled=row["sampled"],
            chunk=row["chunk"],
            size=row["size"],
            mtime_ns=row["mtime_ns"],
        )
        for row in pq.read_table(path).to_pylist()
    )


def listed_rows(images: pa.Table) -> list[tuple[int, str | None, bool]]:
    """Row, path, and whether it is in the metric sample, of a table ``images``."""
    return [
        (
            line["row"],
            os.fsdecode(line["path_bytes"]) if line["path_bytes"] else line["path"],
            line["sampled"],
        )
        for line in images.select(["row", "path", "path_bytes", "sampled"]).to_pylist()
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingChange:
    """What is at the sources now, beside what was frozen.

    Attributes:
        new: Pictures that were not listed then.
        gone: Rows whose file is not listed any more.
        changed: Rows whose file has another size or modification time.
    """

    new: tuple[ImageRecord, ...]
    gone: tuple[FrozenRow, ...]
    changed: tuple[FrozenRow, ...]


def compare_listing(frozen: Sequence[FrozenRow], records: Sequence[ImageRecord]) -> ListingChange:
    """The frozen listing against the sources as they are now; no content is read."""
    before = {_identity(row.record): row for row in frozen}
    now = {_identity(record): record for record in records}
    return ListingChange(
        new=tuple(record for key, record in now.items() if key not in before),
        gone=tuple(row for key, row in before.items() if key not in now),
        changed=tuple(
            row for key, row in before.items() if key in now and _stat(now[key]) != (row.size, row.mtime_ns)
        ),
    )


def _identity(record: ImageRecord) -> tuple[str | None, int]:
    # A picture from memory has no name: its position among its like is all there is.
    return (record.path, record.index)
