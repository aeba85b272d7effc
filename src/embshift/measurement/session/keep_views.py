"""Kept views: those of a seeded few images, and the most and least shifted of every transform."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Float64, Int64

from embshift.core.seeding import choose_positions, make_generator
from embshift.core.types import ORIGINAL, Direction, FrozenRow
from embshift.measurement.pipeline.perturb import Perturbed, perturb_image
from embshift.measurement.pipeline.recipe import Recipe
from embshift.runs.listing import Listing
from embshift.runs.tables import RunTables
from embshift.runs.view_files import find_view, write_view

__all__ = ["EXTREME", "SEEDED", "choose_views", "keep_views", "write_views"]

SEEDED = 50
"""Images of which all views are kept, chosen by the run's seed."""

EXTREME = 5
"""Images kept of every transform that it shifts most, and as many that it shifts least."""

Wanted = Mapping[int, frozenset[str]]
"""Transforms whose views are kept, by row."""


def write_views(perturbed: Perturbed, *, folder: Path) -> None:
    """Write all views of one image as they were made."""
    _write(perturbed, folder=folder, digests=None)


def choose_views(run: RunTables, *, seed: int) -> Wanted:
    """Choose which views to keep, by row of the listing.

    All views of 50 seeded images, and of every transform the 5 images that it shifts most and the 5 that it
    shifts least, by the first metric of the run.
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
    return choose_positions(count, SEEDED, rng=make_generator(seed, "gallery"))


def _by_chunk(
    places: Int64[np.ndarray, " places"], names: Sequence[str], counts: Sequence[int]
) -> Iterator[tuple[str, Int64[np.ndarray, " own"]]]:
    """Split positions among all images that have values into positions within their chunks.

    Args:
        places: Positions among all.
        names: Names of the chunks.
        counts: How many images with values each chunk holds.
    """
    start = 0
    for name, count in zip(names, counts, strict=True):
        own = places[(start <= places) & (places < start + count)] - start
        if len(own):
            yield name, own
        start += count


class _Extremes:
    """The rows of the least and greatest values so far; of equal values the first count as less."""

    def __init__(self) -> None:
        self._low, self._high = (list[tuple[float, int]]() for _ in range(2))

    def take(self, rows: Int64[np.ndarray, " images"], values: Float64[np.ndarray, " images"]) -> None:
        """Take in more values."""
        defined = ~np.isnan(values)
        new = list(zip(values[defined].tolist(), rows[defined].tolist(), strict=True))
        self._low = sorted(self._low + new)[:EXTREME]
        self._high = sorted(self._high + new)[-EXTREME:]

    @property
    def rows(self) -> list[int]:
        """Rows of the least and greatest values."""
        return [row for _, row in self._low + self._high]


def keep_views(run: RunTables, wanted: Wanted, *, rows: Listing, recipe: Recipe) -> list[int]:
    """Make the wanted views again from their seeds and write them, each checked by its digest.

    Args:
        run: The run, with all of its chunks.
        wanted: What to keep.
        rows: The listing.
        recipe: What the run's views were made with; one that drafts no views.

    Returns:
        Rows whose views could not be made again as they were measured.
    """
    digests = _digests(run, wanted)
    changed = list[int]()
    for row, names in wanted.items():
        ids = {key: digest for key, digest in digests[row].items() if key[0] in names | {ORIGINAL}}
        image = _remake(rows[row], names, recipe)
        if _write(image, folder=run.folder, digests=ids) < len(ids):
            changed.append(row)
    return changed


def _remake(listed: FrozenRow, names: Iterable[str], recipe: Recipe) -> Perturbed:
    kept = {name: transform for name, transform in recipe.transforms.items() if name in names}
    return perturb_image(replace(listed, sampled=False), recipe=replace(recipe, transforms=kept))


Digests = Mapping[tuple[str, int], str]


def _write(perturbed: Perturbed, *, folder: Path, digests: Digests | None) -> int:
    """Write the views whose digest is as measured, and return how many there are now."""
    if perturbed.pixels is None:
        return 0
    image_id = str(perturbed.decoded.image_id)
    count = 0
    made = [attempt for attempt in perturbed.attempts if attempt.status == "ok"]
    for attempt, pixels in zip(made, perturbed.pixels, strict=True):
        key = (attempt.transform, attempt.draw)
        if digests is not None and digests.get(key) != attempt.digest:
            continue
        path = find_view(folder, image_id=image_id, transform=attempt.transform, draw=attempt.draw)
        if not path.exists():
            write_view(path, pixels)
        count += 1
    return count


def _digests(run: RunTables, wanted: Wanted) -> dict[int, Digests]:
    made = pc.field("row").isin(list(wanted)) & pc.field("pixels_digest").is_valid()
    found = dict[int, dict[tuple[str, int], str]]()
    for chunk in run.chunks("embeddings", ["row", "transform", "draw", "pixels_digest"]):
        for line in chunk.filter(made).to_pylist():
            found.setdefault(line["row"], {})[line["transform"], line["draw"]] = line["pixels_digest"]
    return {row: found.get(row, {}) for row in wanted}
