"""Patches over all images: what each component recovers, and how far a share or a cheap patch tells it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.inside.by_image import ImageMeans, mean_over_images
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES

__all__ = ["Calibration", "PatchEffects", "calibrate_patches", "correlate", "pool_patches"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatchEffects:
    """What the patches of one transform recover.

    Attributes:
        transform: Its name.
        kind: "direct", "class" or "full".
        direction: "clean_into_view" or "view_into_clean".
        components: Names of the patched components.
        recovered: Mean over images of the recovered part of the shift, by component.
        closeness: Mean over images of the closeness.
    """

    transform: str
    kind: str
    direction: str
    components: tuple[str, ...]
    recovered: ImageMeans
    closeness: ImageMeans


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How well a cheap patch agrees with the full one, on the views and components where both were made.

    Attributes:
        kind: The cheap patch: "direct" or "class".
        direction: As in `PatchEffects`.
        correlation: Pearson's correlation of recovered parts; NaN for fewer than three pairs.
        difference: Mean absolute difference of recovered parts.
        pairs: Number of compared pairs.
    """

    kind: str
    direction: str
    correlation: float
    difference: float
    pairs: int


def pool_patches(
    transform: str,
    components: tuple[str, ...],
    *,
    kind: str,
    direction: str,
    rows: Int64[np.ndarray, " views"],
    recovered: Float64[np.ndarray, "views components"],
    closeness: Float64[np.ndarray, "views components"],
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> PatchEffects:
    """Average what patches recover over images, with BCa intervals.

    Args:
        transform: Name of the transform.
        components: Names of the patched components.
        kind: Kind of the patches.
        direction: Their direction.
        rows: Row of each view's image in the listing.
        recovered: Recovered part of each view; NaN where a patch was not made or there is no shift.
        closeness: Closeness of each view.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the resamples.
    """
    means = [
        mean_over_images(rows, values, resamples=resamples, level=level, seed=seed)
        for values in (recovered, closeness)
    ]
    return PatchEffects(
        transform=transform,
        kind=kind,
        direction=direction,
        components=components,
        recovered=means[0],
        closeness=means[1],
    )


def calibrate_patches(
    kind: str,
    direction: str,
    *,
    cheap: Float64[np.ndarray, "views components"],
    full: Float64[np.ndarray, "views components"],
) -> Calibration:
    """Compare a cheap patch with the full one, view by view.

    Args:
        kind: Kind of the cheap patch.
        direction: Direction of both.
        cheap: What the cheap patch recovers.
        full: What the full patch of the same view and component recovers; NaN where it was not made.
    """
    both = ~np.isnan(cheap) & ~np.isnan(full)
    one, other = cheap[both], full[both]
    return Calibration(
        kind=kind,
        direction=direction,
        correlation=correlate(one, other),
        difference=float(np.abs(one - other).mean()) if len(one) else float("nan"),
        pairs=len(one),
    )


def correlate(one: Float64[np.ndarray, " values"], other: Float64[np.ndarray, " values"]) -> float:
    """Return Pearson's correlation; NaN for fewer than three pairs, or where one side is constant."""
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
