"""Cells of Arrow files, such as data sets saved to disk: the system maps the file into memory.

Files may come from anyone.
"""

import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, final

import pyarrow as pa

from embshift.images.batches import PATH, ROWS, take_cell

__all__ = ["ArrowTable"]

_BUFFER = 2**20  # bytes that a file's columns may hold beside twice its size
_ENDS = 2**16  # bytes at both ends of a file that stand for its content


@final
class ArrowTable:
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
            for start in range(0, len(batch), ROWS):
                part = batch.slice(start, ROWS)
                names = [name.removesuffix(PATH) for name in columns]
                yield pa.RecordBatch.from_arrays([_project(part, name) for name in columns], names=names)

    def cell(self, row: int, column: str, *, most: int) -> bytes | None:
        group = bisect_right(self._ends, row)
        batch = self._batches[group].select([column])
        return take_cell(batch, row - (self._ends[group - 1] if group else 0))


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
