"""Reading a run part by part: a part is a fixed range of chunks, whatever measured them."""

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from embshift.analysis.parts.kept import LAST
from embshift.analysis.parts.part import Part, measure_part, merge_parts
from embshift.runs.image_ids import Hashes, hash_ids
from embshift.runs.places import read_chunk_number
from embshift.runs.tables import RunTables
from embshift.runs.values import ImageValues, image_values, join_values

__all__ = ["CHUNKS", "MOST_EXACT", "read_parts"]

MOST_EXACT = 100_000
"""Images up to which statistics hold every value."""

CHUNKS = 4096
"""Chunks of a part. Parts are fixed, so that any engine gets the same sums by merging them in order."""

IMAGES_AT_ONCE = 8192
"""Images whose values are held at once, or those of one chunk if it has more."""

Rows = Int64[np.ndarray, " rows"]


def read_parts(run: RunTables, *, wanted: Collection[int] = (), skip: Rows | None = None) -> Part:
    """Sum over all images of a run, reading each file once; equal images count once.

    Args:
        run: The run.
        wanted: Rows whose values are kept.
        skip: What `RunTables.repeated_rows` returns, where it is known.
    """
    left_out = run.repeated_rows() if skip is None else skip
    found = None
    for names in _split(run.chunk_names()):
        part = _read_part(run, names, wanted=wanted, skip=left_out)
        found = part if found is None else merge_parts(found, part, wanted=wanted)
    if found is None:
        empty = image_values([], transforms=run.transforms, metrics=_names(run), skip=left_out)
        return measure_part(empty, np.empty(0, np.uint64), metrics=run.metrics)
    return found


def _names(run: RunTables) -> list[str]:
    return [spec.name for spec in run.metrics]


def _split(names: Sequence[str]) -> Iterator[list[str]]:
    """Split chunks into parts by their numbers."""
    for _, part in groupby(names, key=lambda name: read_chunk_number(Path(name)) // CHUNKS):
        yield list(part)


def _read_part(run: RunTables, names: Sequence[str], *, wanted: Collection[int], skip: Rows) -> Part:
    found, last = None, LAST
    for values, hashes in _read_blocks(run, names, skip=skip):
        block = measure_part(values, hashes, metrics=run.metrics, wanted=wanted, last=last)
        found = block if found is None else merge_parts(found, block, wanted=wanted)
        last = found.kept.last
    assert found is not None, "a part has at least one chunk"
    return found


def _read_blocks(run: RunTables, names: Sequence[str], *, skip: Rows) -> Iterator[tuple[ImageValues, Hashes]]:
    """Yield values of images and hashes of their ids: as many chunks as hold `IMAGES_AT_ONCE` images."""
    waiting, size = list[tuple[ImageValues, Hashes]](), 0
    for at, name in enumerate(names):
        values = run.values_of(name, skip=skip)
        waiting.append((values, _hash_rows(run, name, rows=values.rows)))
        size += len(values.rows)
        if size >= IMAGES_AT_ONCE or at == len(names) - 1:
            yield join_values([one for one, _ in waiting]), np.concatenate([one for _, one in waiting])
            waiting, size = [], 0


def _hash_rows(run: RunTables, name: str, *, rows: Rows) -> Hashes:
    """Return the hashes of the images of some rows of a chunk."""
    known, ids = run.ids_of(name)
    # A row without a usable image has no values; should a table be damaged, it is hashed as its neighbour.
    at = np.minimum(np.searchsorted(known, rows), max(len(known) - 1, 0))
    return hash_ids(ids)[at] if len(known) else np.zeros(len(rows), np.uint64)
