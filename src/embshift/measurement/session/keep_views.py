"""The pictures that a run keeps: a seeded few, and the most and least shifted of every transform."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds
from jaxtyping import Float64, Int64

from embshift.core.seeding import generator
from embshift.core.types import ORIGINAL, Direction
from embshift.measurement.pipeline.encode import Item, Perturbed, Recipe, perturb_image
from embshift.runs.tables import RunTables
from embshift.runs.view_files import view_path, write_view

__all__ = ["choose_views", "keep_views", "keep_while_running"]

SEEDED = 50
EXTREME = 5

Wanted = Mapping[int, frozenset[str]]
"""Transforms whose views are kept, by row."""


def keep_while_running(perturbed: Perturbed, *, folder: Path) -> None:
    """Write all views of one picture as they were made."""
    _write(perturbed, folder=folder, digests=None)


def choose_views(run: RunTables, *, seed: int) -> Wanted:
    """Rows and transforms to keep.

    All views of 50 seeded pictures, and of every transform the 5 pictures that it shifts most and the 5 that
    it shifts least, by the first metric of the run.
    """
    if not run.metrics:
        return {}
    higher, skip = run.metrics[0].direction is Direction.HIGHER, run.repeated()
    names, counts = run.chunk_names(), list[int]()
    extremes = [_Extremes() for _ in run.transforms]
    for name in names:
        values = run.values_of(name, skip=skip)
        counts.append(len(values.rows))
        for found, column in zip(extremes, values.values[:, :, 0].T, strict=True):
            found.take(values.rows, column if higher else -column)
    places, wanted = _seeded(sum(counts), seed=seed), dict[int, set[str]]()
    for name, own in _by_chunk(places, names, counts):
        for row in run.values_of(name, skip=skip).rows[own].tolist():
            wanted[row] = set(run.transforms)
    for name, found in zip(run.transforms, extremes, strict=True):
        for row in found.rows:
            wanted.setdefault(row, set()).add(name)
    return {row: frozenset(names) for row, names in sorted(wanted.items())}


def _seeded(count: int, *, seed: int) -> Int64[np.ndarray, " places"]:
    rng = generator(seed, "gallery")
    if count > _PERMUTED:
        return rng.choice(count, SEEDED, replace=False)
    return rng.permutation(count)[:SEEDED]


_PERMUTED = 2**24  # pictures of which all positions are put in order to take some: 128 MiB


def _by_chunk(
    places: Int64[np.ndarray, " places"], names: Sequence[str], counts: Sequence[int]
) -> Iterator[tuple[str, Int64[np.ndarray, " own"]]]:
    """Places among all pictures that have values as places in their chunks, which have so many each."""
    start = 0
    for name, count in zip(names, counts, strict=True):
        own = places[(start <= places) & (places < start + count)] - start
        if len(own):
            yield name, own
        start += count


class _Extremes:
    """The rows of the least and of the greatest values so far; of equal ones the first count as less."""

    def __init__(self) -> None:
        self._low, self._high = (list[tuple[float, int]]() for _ in range(2))

    def take(self, rows: Int64[np.ndarray, " images"], values: Float64[np.ndarray, " images"]) -> None:
        """Look at some more."""
        defined = ~np.isnan(values)
        new = list(zip(values[defined].tolist(), rows[defined].tolist(), strict=True))
        self._low = sorted(self._low + new)[:EXTREME]
        self._high = sorted(self._high + new)[-EXTREME:]

    @property
    def rows(self) -> list[int]:
        """Those rows."""
        return [row for _, row in self._low + self._high]


def keep_views(run: RunTables, wanted: Wanted, *, item: Callable[[int], Item], recipe: Recipe) -> list[int]:
    """Make the wanted views again from their seeds and write them, each checked by its digest.

    Args:
        run: The run, with all of its chunks.
        wanted: What to keep.
        item: The row of the listing with a number.
        recipe: What the run's views were made with.

    Returns:
        Rows whose views could not be made again as they were measured.
    """
    digests = _digests(run, wanted)
    changed = list[int]()
    for row, names in wanted.items():
        ids = {key: digest for key, digest in digests[row].items() if key[0] in names | {ORIGINAL}}
        picture = _again(item(row), names, recipe)
        if _write(picture, folder=run.folder, digests=ids) < len(ids):
            changed.append(row)
    return changed


def _again(item: Item, names: Iterable[str], recipe: Recipe) -> Perturbed:
    kept = {name: transform for name, transform in recipe.transforms.items() if name in names}
    return perturb_image(replace(item, sampled=False), recipe=replace(recipe, transforms=kept))


Digests = Mapping[tuple[str, int], str]


def _write(perturbed: Perturbed, *, folder: Path, digests: Digests | None) -> int:
    """Write the views whose digest is as measured; returns how many there are now."""
    if perturbed.pixels is None:
        return 0
    image_id = str(perturbed.decoded.image_id)
    count = 0
    made = [attempt for attempt in perturbed.attempts if attempt.status == "ok"]
    for attempt, pixels in zip(made, perturbed.pixels, strict=True):
        key = (attempt.transform, attempt.draw)
        if digests is not None and digests.get(key) != attempt.digest:
            continue
        path = view_path(folder, image_id=image_id, transform=attempt.transform, draw=attempt.draw)
        if not path.exists():
            write_view(path, pixels)
        count += 1
    return count


def _digests(run: RunTables, wanted: Wanted) -> dict[int, Digests]:
    made = pc.field("row").isin(list(wanted)) & pc.field("pixels_digest").is_valid()
    found = dict[int, dict[tuple[str, int], str]]()
    for file in run.files("embeddings"):
        columns = ["row", "transform", "draw", "pixels_digest"]
        for line in ds.dataset(file).to_table(columns=columns, filter=made).to_pylist():
            found.setdefault(line["row"], {})[line["transform"], line["draw"]] = line["pixels_digest"]
    return {row: found.get(row, {}) for row in wanted}
