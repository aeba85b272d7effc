"""Points: originals and views of a run with their embeddings and shifts, as other tools take them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32, Float64, Int64

from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.core.errors import RunError, UsageError
from embshift.core.types import ORIGINAL
from embshift.runs.arrow import as_array
from embshift.runs.tables import RunTables, to_matrix
from embshift.runs.view_files import find_view

__all__ = ["MOST_POINTS", "SAID", "Points", "gather_points"]

MOST_POINTS = 20_000
"""Number of points up to which all images are taken by default, and a seeded sample of them beyond."""

_PARTS = ("offset", "column")  # not null for an image that is a part of its file
SAID = ("source_id", "caption", "label")
"""Columns of what the sources say of an image."""

_KEYS = ["row", "image_id", "transform", "draw", "status", "embedding"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Points:
    """Originals and views, one point each: by image, the original first, then in the order of the plan.

    Attributes:
        run: The run.
        rows: Row of each point's image in the listing.
        ids: Its image id.
        members: Name of its image below the source.
        sources: Path of its image's file; None for an image from memory or inside another file, or whose
            name is not text.
        said: What the sources say of its image, by column: source_id, caption, label.
        transforms: "original", or the name of the transform.
        draws: Draw of the view; 0 for an original.
        embeddings: Raw embeddings.
        units: The same, with length 1.
        shifts: Value of each metric; NaN where it is undefined, and for originals.
        kept: Path of the point's own image in the run folder; None if it was not kept.
        images: Number of images that were taken.
        among: Number of usable, different images of the run.
        left_out: Number of embeddings left out, since they have no angle: all zeros or not finite.
    """

    run: RunTables
    rows: Int64[np.ndarray, " points"]
    ids: tuple[str, ...]
    members: tuple[str, ...]
    sources: tuple[str | None, ...]
    said: Mapping[str, tuple[str | None, ...]]
    transforms: tuple[str, ...]
    draws: Int64[np.ndarray, " points"]
    embeddings: Float32[np.ndarray, "points dim"]
    units: Float64[np.ndarray, "points dim"]
    shifts: Mapping[str, Float64[np.ndarray, " points"]]
    kept: tuple[Path | None, ...]
    images: int
    among: int
    left_out: int

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def encoder(self) -> str:
        """Return the name of the encoder, without folders."""
        return Path(str(self.run.info["encoder"]["name"])).name


def gather_points(run: RunTables, *, images: int | None = None, seed: int = 0) -> Points:
    """Read originals and views of all images, or of a seeded sample; equal images are taken once.

    Args:
        run: The run; only its folder is read.
        images: Number of images; if None, as many as have `MOST_POINTS` points together.
        seed: Seed of the sample.

    Raises:
        RunError: If the run holds no embedding, or is damaged; or if a link stands among its views.
        UsageError: If the number of images is below 1, or the seed below 0.
    """
    lines = _usable_images(run)
    rows = _choose_rows(sorted(lines), _most_images(run) if images is None else images, seed=seed)
    table = _read_embeddings(run, rows)
    if not len(table):
        raise RunError(f"{run.folder} holds no embedding to export; finish the run, or measure again")
    values = to_matrix(table["embedding"])
    units, norms = unit_vectors(values)
    angled = ~np.isnan(norms)
    table, keys = table.filter(pa.array(angled)), [lines[row] for row in table["row"].to_pylist()]
    keys = [key for key, taken in zip(keys, angled.tolist(), strict=True) if taken]
    names, draws = tuple(table["transform"].to_pylist()), as_array(table["draw"]).astype(np.int64)
    own = as_array(table["row"])
    return Points(
        run=run,
        rows=own,
        ids=tuple(str(key["image_id"]) for key in keys),
        members=tuple(_name_image(key) for key in keys),
        sources=tuple(_find_file(key) for key in keys),
        said=_list_said(keys),
        transforms=names,
        draws=draws,
        embeddings=values[angled],
        units=units[angled],
        shifts=_read_shifts(run, rows=own, transforms=names, draws=draws),
        kept=tuple(
            _find_kept(run, str(key["image_id"]), transform, draw)
            for key, transform, draw in zip(keys, names, draws.tolist(), strict=True)
        ),
        images=len(rows),
        among=len(lines),
        left_out=int((~angled).sum()),
    )


def _usable_images(run: RunTables) -> dict[int, dict[str, Any]]:
    """Return the usable, different images by row."""
    columns = ["row", "image_id", "source", "member", "index", "path", "path_bytes", "status", *_PARTS, *SAID]
    skip, found = run.repeated(), dict[int, dict[str, Any]]()
    for chunk in run.chunks("images", columns):
        for line in chunk.to_pylist():
            if line["status"] == "ok" and line["row"] not in skip:
                found[line["row"]] = line
    return found


def _list_said(lines: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str | None, ...]]:
    """Return what the sources say of each image, by column; only columns in which they say something."""
    columns = {name: tuple(line[name] for line in lines) for name in SAID}
    return {name: held for name, held in columns.items() if any(one is not None for one in held)}


def _find_file(line: Mapping[str, Any]) -> str | None:
    """Return the file that holds an image and nothing else."""
    is_part = any(line[name] is not None for name in _PARTS)
    return None if is_part or line["path_bytes"] is not None else line["path"]


def _most_images(run: RunTables) -> int:
    views = len(run.transforms) * max(int(run.info["plan"].get("draws", 1)), 1)
    return max(MOST_POINTS // (1 + views), 1)


def _choose_rows(rows: Sequence[int], images: int, *, seed: int) -> Int64[np.ndarray, " images"]:
    if images < 1:
        raise UsageError(f"images is {images}; expected 1 or more")
    if seed < 0:
        raise UsageError(f"seed is {seed}; expected 0 or more")
    known = np.array(rows, np.int64)
    if images >= len(known):
        return known
    return np.sort(np.random.default_rng(seed).choice(known, size=images, replace=False))


def _read_embeddings(run: RunTables, rows: Int64[np.ndarray, " images"]) -> pa.Table:
    """Read the embeddings of some images, in the order of the points."""
    wanted = pc.field("row").isin(rows.tolist()) & (pc.field("status") == "ok")
    parts = [chunk.filter(wanted) for chunk in run.chunks("embeddings", _KEYS)]
    if not parts:
        return pa.table({name: [] for name in _KEYS})
    table = pa.concat_tables(parts)
    place = {name: at for at, name in enumerate((ORIGINAL, *run.transforms))}
    known = [place.get(name, -1) for name in table["transform"].to_pylist()]
    order = np.lexsort((as_array(table["draw"]), np.array(known), as_array(table["row"])))
    return table.take(pa.array(order[np.array(known)[order] >= 0]))


def _name_image(line: Mapping[str, Any]) -> str:
    return str(line["member"] or line["source"] or f"image {line['index'] or 0} from memory")


def _read_shifts(
    run: RunTables,
    *,
    rows: Int64[np.ndarray, " points"],
    transforms: Sequence[str],
    draws: Int64[np.ndarray, " points"],
) -> dict[str, Float64[np.ndarray, " points"]]:
    found = {spec.name: np.full(len(rows), np.nan) for spec in run.metrics}
    keys = zip(rows.tolist(), transforms, draws.tolist(), strict=True)
    place = {key: at for at, key in enumerate(keys)}
    wanted = pc.field("row").isin(np.unique(rows).tolist())
    for chunk in run.chunks("shifts", ["row", "transform", "draw", "metric", "value"]):
        for line in chunk.filter(wanted).to_pylist():
            at = place.get((line["row"], line["transform"], line["draw"]))
            if at is not None and line["metric"] in found:
                found[line["metric"]][at] = line["value"]
    return found


def _find_kept(run: RunTables, image_id: str, transform: str, draw: int) -> Path | None:
    path = find_view(run.folder, image_id=image_id, transform=transform, draw=draw)
    return path if path.exists() else None
