"""What an explanation of a run says: functions on its stored tables. Never imports torch."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from embshift.analysis.explained_rows import get_rows, read_own
from embshift.analysis.inside.by_image import ImageMeans, mean_over_images
from embshift.analysis.inside.patches import (
    Calibration,
    PatchEffects,
    calibrate_patches,
    pool_patches,
)
from embshift.analysis.inside.shares import PooledShares, pool_shares
from embshift.analysis.inside.similarity import combine_similarity
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.core.errors import RunError
from embshift.runs.arrow import as_array
from embshift.runs.explained import ExplainedTables, read_lists

__all__ = [
    "HeadMeans",
    "LayerMeans",
    "average_heads",
    "average_layers",
    "calibrate_kinds",
    "list_explained_transforms",
    "pool_patch_effects",
    "pool_transform_shares",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerMeans:
    """How far originals and views of one transform are apart after each layer.

    Attributes:
        transform: Its name.
        cosine: Mean cosine of the token that is read, by layer.
        patch_cosine: Mean cosine of aligned patches; NaN where a layer gives no patches that anything reads.
        similarity: CKA between originals and views, by layer; NaN for fewer than four images.
    """

    transform: str
    cosine: ImageMeans
    patch_cosine: ImageMeans
    similarity: Float64[np.ndarray, " layers"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeadMeans:
    """How differently the heads look at originals and views of one transform; columns go by layer, then head.

    Attributes:
        transform: Its name.
        layers: Number of layers.
        heads: Number of heads of a layer.
        divergence: Mean Jensen–Shannon divergence, in bits.
        entropy_change: Mean change of entropy, in bits.
        overlap: Mean overlap of the patches that hold half of the attention.
    """

    transform: str
    layers: int
    heads: int
    divergence: ImageMeans
    entropy_change: ImageMeans
    overlap: ImageMeans


def list_explained_transforms(found: ExplainedTables) -> tuple[str, ...]:
    """Return the transforms of an explanation, in the order of the plan."""
    return tuple(dict.fromkeys(found.read("shares", ["transform"])["transform"].to_pylist()))


def pool_transform_shares(
    found: ExplainedTables,
    transform: str,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> PooledShares:
    """Pool the shares of all components for one transform.

    Args:
        found: The explanation.
        transform: The transform.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the resamples.

    Raises:
        UnknownNameError: If the explanation has no such transform.
    """
    own = read_own(found, "shares", transform, ("shift", "share"))
    return pool_shares(
        transform,
        tuple(found.record["components"]),
        rows=get_rows(own),
        shift=as_array(own["shift"]).astype(np.float64),
        share=read_lists(own["share"]).astype(np.float64),
        resamples=resamples,
        level=level,
        seed=seed,
    )


def pool_patch_effects(
    found: ExplainedTables,
    transform: str,
    *,
    kind: str,
    direction: str = "clean_into_view",
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> PatchEffects:
    """Average what patches of one kind recover, for one transform.

    Args:
        found: The explanation.
        transform: The transform.
        kind: "direct", "class" or "full".
        direction: "clean_into_view" or "view_into_clean".
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the resamples.

    Raises:
        RunError: If the explanation has no patches of this kind.
        UnknownNameError: If it has no such transform.
    """
    own = _take_patches(_read_patches(found, transform), kind, direction)
    if not len(own):
        raise RunError(f"the explanation of {found.run} has no patches of kind {kind} for {transform}")
    return pool_patches(
        transform,
        tuple(found.record["components"]),
        kind=kind,
        direction=direction,
        rows=get_rows(own),
        recovered=read_lists(own["recovered"]).astype(np.float64),
        closeness=read_lists(own["closeness"]).astype(np.float64),
        resamples=resamples,
        level=level,
        seed=seed,
    )


def _read_patches(found: ExplainedTables, transform: str) -> pa.Table:
    return read_own(found, "patches", transform, ("kind", "direction", "recovered", "closeness"))


def _take_patches(table: pa.Table, kind: str, direction: str) -> pa.Table:
    pairs = zip(table["kind"].to_pylist(), table["direction"].to_pylist(), strict=True)
    return table.filter(pa.array([pair == (kind, direction) for pair in pairs], pa.bool_()))


def calibrate_kinds(found: ExplainedTables) -> tuple[Calibration, ...]:
    """Compare the cheap patches with full ones, where both were made; nothing where none was made in full."""
    kept = list[Calibration]()
    for direction in ("clean_into_view", "view_into_clean"):
        for kind in ("direct", "class"):
            pairs = [
                _pair_with_full(found, name, kind, direction) for name in list_explained_transforms(found)
            ]
            cheap, full = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
            one = calibrate_patches(kind, direction, cheap=cheap, full=full)
            kept += [one] if one.pairs else []
    return tuple(kept)


def _pair_with_full(
    found: ExplainedTables, transform: str, kind: str, direction: str
) -> tuple[Float64[np.ndarray, "views components"], Float64[np.ndarray, "views components"]]:
    table = _read_patches(found, transform)
    cheap, full = (_index_views(_take_patches(table, one, direction)) for one in (kind, "full"))
    both = sorted(set(cheap) & set(full))
    width = len(found.record["components"])
    if not both:
        return np.empty((0, width)), np.empty((0, width))
    return np.stack([cheap[key] for key in both]), np.stack([full[key] for key in both])


def _index_views(table: pa.Table) -> dict[tuple[int, int], Float64[np.ndarray, " components"]]:
    keys = zip(table["row"].to_pylist(), table["draw"].to_pylist(), strict=True)
    return dict(zip(keys, read_lists(table["recovered"]).astype(np.float64), strict=True))


def average_layers(
    found: ExplainedTables,
    transform: str,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> LayerMeans:
    """Average how far originals and views are apart after each layer.

    Args:
        found: The explanation.
        transform: The transform.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the resamples.

    Raises:
        UnknownNameError: If the explanation has no such transform.
    """
    own = read_own(found, "layers", transform, ("cosine", "patch_cosine"))
    cosine, patch_cosine = (
        mean_over_images(
            get_rows(own),
            read_lists(own[name]).astype(np.float64),
            resamples=resamples,
            level=level,
            seed=seed,
        )
        for name in ("cosine", "patch_cosine")
    )
    return LayerMeans(
        transform=transform,
        cosine=cosine,
        patch_cosine=patch_cosine,
        similarity=_combine_similarity(found, transform),
    )


def _combine_similarity(found: ExplainedTables, transform: str) -> Float64[np.ndarray, " layers"]:
    whole = found.read("similarity")
    own = whole.filter(pa.array([name == transform for name in whole["transform"].to_pylist()], pa.bool_()))
    layers = int(found.record["layers"])
    known = combine_similarity(
        as_array(own["layer"]).astype(np.int64),
        images=as_array(own["images"]).astype(np.int64),
        cross=as_array(own["cross"]),
        clean=as_array(own["clean"]),
        view=as_array(own["view"]),
    )
    return np.concatenate([known, np.full(layers - len(known), np.nan)])


def average_heads(
    found: ExplainedTables,
    transform: str,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> HeadMeans:
    """Average how differently the heads look at originals and views.

    Args:
        found: The explanation.
        transform: The transform.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the resamples.

    Raises:
        UnknownNameError: If the explanation has no such transform.
    """
    names = ("divergence", "entropy_change", "overlap")
    own = read_own(found, "heads", transform, names)
    means = [
        mean_over_images(
            get_rows(own),
            read_lists(own[name]).astype(np.float64),
            resamples=resamples,
            level=level,
            seed=seed,
        )
        for name in names
    ]
    heads = int(found.record["heads"])
    return HeadMeans(
        transform=transform,
        layers=len(means[0].undefined) // heads,
        heads=heads,
        divergence=means[0],
        entropy_change=means[1],
        overlap=means[2],
    )
