"""What an explanation measures of one image: one forward pass for all of its views, then algebra."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from embshift.core.types import Coordinates
from embshift.encoders.inside import Inside, count_bytes
from embshift.encoders.inside.layers import HeadDivergences, LayerProfile
from embshift.encoders.inside.results import DIRECTIONS
from embshift.encoders.inside.sources import SourceMap
from embshift.measurement.studies.explain.remade import RemadeImage

__all__ = ["MeasuredImage", "PatchValues", "count_views", "measure_image"]

VIEWS = 31
"""Greatest number of views in one forward pass, beside the original."""

KEPT = 2**30
"""Bytes that what is kept of one pass may take: all tokens after every block, and more."""

LARGEST = 4
"""Components with the largest shares that are patched in full, on the few images for calibration."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatchValues:
    """What one kind of patch does in one direction.

    Attributes:
        kind: "direct", "class" or "full".
        direction: "clean_into_view" or "view_into_clean".
        recovered: Recovered part, NaN for a component that was not patched.
        closeness: Closeness.
    """

    kind: str
    direction: str
    recovered: Float64[np.ndarray, "views components"]
    closeness: Float64[np.ndarray, "views components"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredImage:
    """What an explanation measures of one image, or of some of its views.

    Attributes:
        row: Row of the image in the listing.
        image_id: Its id.
        keys: Transform and draw of each view.
        share: Shares of the components.
        shift: Length of each shift.
        length_ratio: Length of the view's raw embedding over the original's.
        contributions: Each component's part of the shift, as a vector.
        patches: What patches do.
        maps: Where in each view its shift comes from.
        layers: How far original and view are apart after each layer.
        heads: How differently each head looks.
        embedding: Raw embeddings of original and views, to be held to the run's.
    """

    row: int
    image_id: str
    keys: Sequence[tuple[str, int]]
    share: Float64[np.ndarray, "views components"]
    shift: Float64[np.ndarray, " views"]
    length_ratio: Float64[np.ndarray, " views"]
    contributions: Float64[np.ndarray, "views components dim"]
    patches: Sequence[PatchValues]
    maps: Sequence[SourceMap]
    layers: LayerProfile
    heads: HeadDivergences
    embedding: np.ndarray


def count_views(inside: Inside[Any], size: tuple[int, int]) -> int:
    """Return how many views beside the original go through the network at once, so that memory suffices.

    It follows from the network and the size alone, so that a study that is continued gives the same bits.

    Args:
        inside: The network.
        size: Height and width of the views.
    """
    kept = count_bytes(inside.observe(np.zeros((1, *size, 3), np.uint8)))
    return min(VIEWS, max(1, KEPT // kept - 1))


def measure_image(
    inside: Inside[Any], image: RemadeImage, *, at_once: int, kinds: Sequence[str], full: str
) -> Iterator[MeasuredImage]:
    """Measure an image, a number of views at a time.

    Args:
        inside: The network.
        image: The image and its views.
        at_once: Views beside the original in one pass; see `count_views`.
        kinds: Kinds of patches that are made of every component: "direct", "class".
        full: "all" to patch every component in full, "largest" for those with the largest shares, or "".
    """
    for start in range(0, len(image.keys), at_once):
        own = slice(start, start + at_once)
        pixels = np.concatenate([image.pixels[:1], image.pixels[1:][own]])
        seen = inside.observe(pixels)
        clean, views = seen.between(0, 1), seen.between(1, len(pixels))
        yield _measure(inside, image, own, clean, views, kinds=kinds, full=full)


def _measure(
    inside: Inside[Any],
    image: RemadeImage,
    own: slice,
    clean: Any,
    views: Any,
    *,
    kinds: Sequence[str],
    full: str,
) -> MeasuredImage:
    places: Sequence[Coordinates | None] = image.coordinates[own]
    shares = inside.compute_shares(clean, views)
    patches = [one for kind in kinds for one in _patch(inside, clean, views, kind)]
    if full and inside.followed:
        patches += _patch_fully(inside, clean, views, shares.share.cpu().numpy(), every=full == "all")
    return MeasuredImage(
        row=image.row,
        image_id=image.image_id,
        keys=image.keys[own],
        share=shares.share.cpu().numpy(),
        shift=shares.shift.cpu().numpy(),
        length_ratio=shares.length_ratio.cpu().numpy(),
        contributions=inside.compute_contributions(clean, views).double().cpu().numpy(),
        patches=patches,
        maps=inside.map_sources(clean, views, places),
        layers=inside.compare_layers(clean, views, places),
        heads=inside.compare_attention(clean, views, places),
        embedding=np.concatenate([clean.embedding.cpu().numpy(), views.embedding.cpu().numpy()]),
    )


def _patch(inside: Inside[Any], clean: Any, views: Any, kind: str) -> Iterator[PatchValues]:
    make = {"direct": inside.patch_directly, "class": inside.patch_class_path}[kind]
    names = {"direct": inside.patched, "class": inside.followed}[kind]
    for direction in DIRECTIONS:
        found = make(clean, views, direction=direction)
        yield PatchValues(
            kind=kind,
            direction=direction,
            recovered=_spread(inside, names, found.recovered.cpu().numpy()),
            closeness=_spread(inside, names, found.closeness.cpu().numpy()),
        )


def _patch_fully(
    inside: Inside[Any], clean: Any, views: Any, share: np.ndarray, *, every: bool
) -> Iterator[PatchValues]:
    names = inside.followed if every else _choose_largest(inside, share)
    for direction in DIRECTIONS:
        found = inside.patch_fully(clean, views, names, direction=direction)
        yield PatchValues(
            kind="full",
            direction=direction,
            recovered=_spread(inside, names, found.recovered.cpu().numpy()),
            closeness=_spread(inside, names, found.closeness.cpu().numpy()),
        )


def _choose_largest(inside: Inside[Any], share: np.ndarray) -> list[str]:
    size = np.nan_to_num(np.abs(share)).mean(axis=0)
    order = [inside.components[at] for at in np.argsort(-size, kind="stable").tolist()]
    return [name for name in order if name in inside.followed][:LARGEST]


def _spread(
    inside: Inside[Any], names: Sequence[str], values: Float64[np.ndarray, "views named"]
) -> Float64[np.ndarray, "views components"]:
    """Return values of some components as values of all of them, NaN for the others."""
    found = np.full((len(values), len(inside.components)), np.nan)
    found[:, [inside.components.index(name) for name in names]] = values
    return found
