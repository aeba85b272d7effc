"""Views made again from their seeds, each held to the digest of what the run measured."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow.compute as pc

from embshift.core.types import ORIGINAL, Coordinates, FrozenRow, Views
from embshift.measurement.pipeline.perturb import perturb_image
from embshift.measurement.pipeline.recipe import Recipe
from embshift.runs.tables import RunTables

__all__ = ["Digests", "RemadeImage", "read_digests", "remake_image"]

Digests = Mapping[tuple[str, int], str]
"""Digest of each measured view of an image, by transform and draw."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RemadeImage:
    """An image and those of its views that are again as they were measured.

    Attributes:
        row: Row of the image in the listing.
        image_id: Its id.
        keys: Transform and draw of each view.
        pixels: The original first, then the views.
        coordinates: Coordinate map of each view; None for one whose pixels stay.
        changed: Number of measured views that could not be made again as they were.
    """

    row: int
    image_id: str
    keys: tuple[tuple[str, int], ...]
    pixels: Views
    coordinates: tuple[Coordinates | None, ...]
    changed: int


def read_digests(run: RunTables, rows: Sequence[int]) -> dict[int, Digests]:
    """Return the digests of all views of some images.

    Args:
        run: The run.
        rows: Rows of the images.
    """
    wanted = pc.field("row").isin(list(rows)) & (pc.field("status") == "ok")
    found = dict[int, dict[tuple[str, int], str]]()
    for chunk in run.chunks("embeddings", ["row", "transform", "draw", "status", "pixels_digest"]):
        for line in chunk.filter(wanted).to_pylist():
            found.setdefault(line["row"], {})[line["transform"], line["draw"]] = line["pixels_digest"]
    return {row: found.get(row, {}) for row in rows}


def remake_image(listed: FrozenRow, digests: Digests, *, recipe: Recipe) -> RemadeImage | None:
    """Make the views of an image again.

    Args:
        listed: Its row of the listing.
        digests: Digests of what the run measured.
        recipe: What the views were made with; one that drafts no views and keeps coordinate maps.

    Returns:
        The image; None if it cannot be read, or is not the image that was measured.
    """
    made = perturb_image(replace(listed, sampled=True), recipe=recipe)
    if made.pixels is None:
        return None
    kept = [attempt for attempt in made.attempts if attempt.status == "ok"]
    same = [digests.get((one.transform, one.draw)) == one.digest for one in kept]
    if not same[0]:
        return None
    views = [at for at in range(1, len(kept)) if same[at]]
    measured = sum(transform != ORIGINAL for transform, _ in digests)
    return RemadeImage(
        row=listed.record.row,
        image_id=str(made.decoded.image_id),
        keys=tuple((kept[at].transform, kept[at].draw) for at in views),
        pixels=made.pixels[[0, *views]],
        coordinates=tuple(made.coordinates[at - 1] for at in views),
        changed=measured - len(views),
    )
