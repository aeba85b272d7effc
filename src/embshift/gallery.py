"""The pictures that a run keeps: a seeded few, and the most and least shifted of every transform."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds

from embshift.pipeline import Item, Perturbed, Recipe, perturb_image
from embshift.run import Run
from embshift.seeding import generator
from embshift.sinks.views import view_path, write_view
from embshift.types import ORIGINAL, Direction

__all__ = ["choose_views", "keep_views", "keep_while_running"]

SEEDED = 50
EXTREME = 5

Wanted = Mapping[int, frozenset[str]]
"""Transforms whose views are kept, by row."""


def keep_while_running(perturbed: Perturbed, *, folder: Path) -> None:
    """Write all views of one picture as they were made."""
    _write(perturbed, folder=folder, digests=None)


def choose_views(run: Run, *, seed: int) -> Wanted:
    """Rows and transforms to keep.

    All views of 50 seeded pictures, and of every transform the 5 pictures that it shifts most and the 5 that
    it shifts least, by the first metric of the run.
    """
    values = run.values()
    rows = values.rows
    chosen = generator(seed, "gallery").permutation(len(rows))[:SEEDED]
    wanted = {int(row): set(values.transforms) for row in rows[chosen]}
    if not values.metrics:
        return {row: frozenset(names) for row, names in wanted.items()}
    higher = run.metrics[0].direction is Direction.HIGHER
    for position, name in enumerate(values.transforms):
        column = values.values[:, position, 0] * (1 if higher else -1)
        defined = np.flatnonzero(~np.isnan(column))
        order = defined[np.argsort(column[defined], kind="stable")]
        for row in rows[np.concatenate([order[:EXTREME], order[-EXTREME:]])]:
            wanted.setdefault(int(row), set()).add(name)
    return {row: frozenset(names) for row, names in sorted(wanted.items())}


def keep_views(run: Run, wanted: Wanted, *, items: Sequence[Item], recipe: Recipe) -> list[int]:
    """Make the wanted views again from their seeds and write them, each checked by its digest.

    Args:
        run: The run, with all of its chunks.
        wanted: What to keep.
        items: The listing, in order of rows.
        recipe: What the run's views were made with.

    Returns:
        Rows whose views could not be made again as they were measured.
    """
    digests = _digests(run, wanted)
    changed = list[int]()
    for row, names in wanted.items():
        ids = {key: digest for key, digest in digests[row].items() if key[0] in names | {ORIGINAL}}
        picture = _again(items[row], names, recipe)
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


def _digests(run: Run, wanted: Wanted) -> dict[int, Digests]:
    made = pc.field("row").isin(list(wanted)) & pc.field("pixels_digest").is_valid()
    found = dict[int, dict[tuple[str, int], str]]()
    for file in run.files("embeddings"):
        columns = ["row", "transform", "draw", "pixels_digest"]
        for line in ds.dataset(file).to_table(columns=columns, filter=made).to_pylist():
            found.setdefault(line["row"], {})[line["transform"], line["draw"]] = line["pixels_digest"]
    return {row: found.get(row, {}) for row in wanted}
