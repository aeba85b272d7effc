"""Captions of images: how much closeness to them a view loses, and whether it still finds its own."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES, Intervals
from embshift.analysis.words.summaries import BLOCK, flatten_draws, summarise
from embshift.analysis.words.vectors import check_units
from embshift.core.errors import PlanError

__all__ = ["CAPTION_MEASURES", "CaptionShifts", "compare_captions"]

CAPTION_MEASURES = ("caption_drop", "found_before", "found_after")
"""The measures of `CaptionShifts.estimates`, in order."""

_BOUNDS = {"caption_drop": (-2.0, 2.0), "found_before": (0.0, 1.0), "found_after": (0.0, 1.0)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaptionShifts:
    """Captions of images and of their views under one transform.

    Arrays over views have one row per image and one column per draw, NaN where a view, its original or a
    caption is missing. Several axes of draws are one here, the last running fastest.

    Attributes:
        drop: cos(z, t) − cos(z′, t), mean over the captions t of the image, from −2 to 2.
        found_before: 1 where the caption nearest to the original, of all captions, is one of its own, else 0.
        found_after: The same for each view.
        captioned: Number of images with a caption.
        estimates: Means over images of `CAPTION_MEASURES`, with intervals.
        level: Coverage of each interval.
    """

    drop: Float64[np.ndarray, "images draws"]
    found_before: Float64[np.ndarray, " images"]
    found_after: Float64[np.ndarray, "images draws"]
    captioned: int
    estimates: Intervals
    level: float

    def measure(self, name: str) -> tuple[float, float, float]:
        """Return the mean of a measure and the ends of its interval, which are NaN if it has none."""
        at = CAPTION_MEASURES.index(name)
        found = self.estimates
        return float(found.mean[at]), float(found.low[at]), float(found.high[at])


def compare_captions(
    clean: Float64[np.ndarray, "_images _dim"],
    views: Float64[np.ndarray, "..."],
    captions: Float64[np.ndarray, "_captions _dim"],
    owner: Int64[np.ndarray, " _captions"],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> CaptionShifts:
    """Compare how close images and their views are to the images' captions.

    A caption is found if none of another image is nearer (recall at 1). So two images with the same caption
    both find it.

    Args:
        clean: Embeddings of the originals, of length 1; NaN where missing.
        views: Embeddings of their views, of length 1, (images, draws, dim), also with several axes of draws.
        captions: Text vectors of the captions, of length 1.
        owner: Position of the image of each caption.
        resamples: Number of resamples of the images, for intervals.
        level: Coverage of each interval.
        seed: Seed of the resamples.

    Raises:
        PlanError: If sizes do not fit, a vector is not of length 1, or an owner is none of the images.
    """
    check_units(captions, what="caption")
    draws = flatten_draws(clean, views, captions)
    images = len(clean)
    if owner.shape != (len(captions),) or (owner < 0).any() or (owner >= images).any():
        raise PlanError(
            f"owners have the shape {owner.shape} and go from {owner.min(initial=0)} to "
            f"{owner.max(initial=0)}; expected one image, from 0 to {images - 1}, for each of "
            f"{len(captions)} captions"
        )
    drop, after = np.full((2, *draws.shape[:2]), np.nan)
    before = np.full(images, np.nan)
    step = max(1, BLOCK // ((draws.shape[1] + 1) * len(captions)))
    for start in range(0, images, step):
        block = slice(start, start + step)
        own = owner == np.arange(images)[block, None]  # images captions
        both = np.concatenate([clean[block, None], draws[block]], axis=1) @ captions.T
        mean, found = _read(both, own)
        drop[block] = mean[:, :1] - mean[:, 1:]
        before[block] = found[:, 0]
        after[block] = np.where(np.isnan(drop[block]), np.nan, found[:, 1:])
    estimates = summarise(
        dict(zip(CAPTION_MEASURES, (drop, before[:, None], after), strict=True)),
        bounds=_BOUNDS,
        proportions=frozenset(CAPTION_MEASURES[1:]),
        crowded=frozenset(),
        resamples=resamples,
        level=level,
        seed=seed,
    )
    return CaptionShifts(
        drop=drop,
        found_before=before,
        found_after=after,
        captioned=len(np.unique(owner)),
        estimates=estimates,
        level=level,
    )


def _read(
    cosines: Float64[np.ndarray, "images sides captions"], own: np.ndarray
) -> tuple[Float64[np.ndarray, "images sides"], Float64[np.ndarray, "images sides"]]:
    """Return the mean cosine with an image's own captions, and whether none of another is nearer."""
    count = own.sum(axis=1)[:, None]
    total = np.where(own[:, None], cosines, 0.0).sum(axis=2)
    mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    nearest = np.where(own[:, None], cosines, -np.inf).max(axis=2)
    others = np.where(own[:, None], -np.inf, cosines).max(axis=2)
    unknown = np.isnan(cosines).any(axis=2) | (count == 0)
    return np.where(unknown, np.nan, mean), np.where(unknown, np.nan, (nearest >= others) * 1.0)
