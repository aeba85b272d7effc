"""Ids of images: their hashes, and which images equal an earlier one."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import IO, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64, Shaped, UInt64

from embshift.core.errors import StorageError
from embshift.runs.arrow import as_array

__all__ = ["Hashes", "Ids", "find_repeated", "hash_ids", "read_ids"]

Ids: TypeAlias = Shaped[np.ndarray, " images"]
"""Image ids, 32 bytes each."""

Hashes: TypeAlias = UInt64[np.ndarray, " images"]
"""Hashes of image ids."""

IDS_AT_ONCE = 2**20
"""Images whose ids are held at once: 40 MiB, and about as much again to sort them."""

PARTITIONS = 64
"""Temporary files that the ids of more images go to, each by its hash."""

_LENGTH = 32
_RECORD = np.dtype([("id", f"S{_LENGTH}"), ("row", np.int64)])

# The constants of SplitMix64.
_ADDED = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST = np.uint64(31)


def read_ids(chunk: pa.Table) -> tuple[Int64[np.ndarray, " images"], Ids]:
    """Return row and id of the usable images of a chunk.

    Args:
        chunk: Columns ``row``, ``image_id`` and ``status`` of the table ``images``.
    """
    # A scalar to compare with would import pandas.
    usable = pc.call_function("match_like", [chunk["status"]], pc.MatchSubstringOptions("ok"))
    kept = chunk.filter(usable)
    return as_array(kept["row"]), _to_bytes(kept["image_id"].combine_chunks())


def _to_bytes(column: pa.Array) -> Ids:
    """Return a column of ids as bytes; without a Python object for each, as long as all have 32 bytes."""
    offsets, data = column.buffers()[1:3]
    if len(column) and not column.null_count and pa.types.is_string(column.type):
        places = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        if (np.diff(places) == _LENGTH).all():
            return np.frombuffer(data, f"S{_LENGTH}", count=len(column), offset=int(places[0]))
    return np.array(column.to_pylist(), f"S{_LENGTH}")


def hash_ids(ids: Ids, /) -> Hashes:
    """Hash ids to 64 bits, evenly, even where ids are not spread evenly themselves.

    References:
        Steele, Lea & Flood 2014, Fast splittable pseudorandom number generators (SplitMix64), figure 16.
    """
    found = np.zeros(len(ids), np.uint64)
    for word in np.ascontiguousarray(ids).view("<u8").reshape(len(ids), _LENGTH // 8).T:
        found = _mix(found ^ word)
    return found


def _mix(state: Hashes) -> Hashes:
    state = state + _ADDED
    for bits, factor in _ROUNDS:
        state = (state ^ (state >> bits)) * factor
    return state ^ (state >> _LAST)


def find_repeated(images: Iterable[tuple[Int64[np.ndarray, " images"], Ids]]) -> Int64[np.ndarray, " rows"]:
    """Return the rows whose image equals that of an earlier row, ascending.

    Images are read once. Beyond `IDS_AT_ONCE`, ids go to temporary files by their hash, and each file is
    looked through by itself, so that memory does not grow with the number of images.

    Args:
        images: Rows and ids, block by block, in order of rows.

    Raises:
        StorageError: If the temporary files cannot be written.
    """
    with ExitStack() as stack:
        files, waiting, size = list[IO[bytes]](), list[np.ndarray](), 0
        try:
            for rows, ids in images:
                waiting.append(_to_records(rows, ids))
                size += len(rows)
                if size >= IDS_AT_ONCE:
                    files = files or [
                        stack.enter_context(tempfile.TemporaryFile()) for _ in range(PARTITIONS)
                    ]
                    _spill(waiting, files)
                    size = 0
            if files:
                _spill(waiting, files)
            found = [_find_in(part) for part in (_read_back(files) if files else [_join(waiting)])]
        except OSError as error:
            raise StorageError(
                f"ids of images cannot be kept in {tempfile.gettempdir()}: {error.strerror or error}; free"
                " some space there, or set TMPDIR to another folder"
            ) from error
    return np.sort(np.concatenate(found))


def _to_records(rows: Int64[np.ndarray, " images"], ids: Ids) -> np.ndarray:
    found = np.empty(len(rows), _RECORD)
    found["row"], found["id"] = rows, ids
    return found


def _join(blocks: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0, _RECORD), *blocks])


def _spill(waiting: list[np.ndarray], files: list[IO[bytes]]) -> None:
    """Append the waiting records to the files of their hashes, in order of rows, and forget them."""
    records = _join(waiting)
    waiting.clear()
    part = hash_ids(records["id"]) % np.uint64(len(files))
    order = np.argsort(part, kind="stable")
    ends = np.searchsorted(part[order], np.arange(len(files) + 1))
    for at, file in enumerate(files):
        file.write(records[order[ends[at] : ends[at + 1]]].tobytes())


def _read_back(files: list[IO[bytes]]) -> Iterator[np.ndarray]:
    for file in files:
        file.seek(0)
        yield np.frombuffer(file.read(), _RECORD)


def _find_in(records: np.ndarray) -> Int64[np.ndarray, " rows"]:
    """Return the repeated rows among some records, which are in order of rows."""
    ids = np.ascontiguousarray(records["id"])
    hashes = hash_ids(ids)
    order = np.argsort(hashes, kind="stable")
    same = hashes[order][1:] == hashes[order][:-1]
    # Few images share a hash with another: only their ids are compared.
    shared = np.zeros(len(ids), bool)
    shared[order[1:][same]] = shared[order[:-1][same]] = True
    rows = records["row"][shared]
    return np.delete(rows, np.unique(ids[shared], return_index=True)[1])
