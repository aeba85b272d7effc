"""Numbers that summarise a curve over levels: area, level of half recall, monotonicity."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

__all__ = ["find_half_recall", "mean_areas", "mean_spearman"]


def mean_areas(
    shifts: Float64[np.ndarray, "images levels"], *, at: Sequence[float], left: float | None
) -> Float64[np.ndarray, " images"]:
    """Compute the mean height of each image's curve, by the trapezoidal rule; NaN for a single point."""
    places, heights = np.array(at), shifts
    if left is not None:
        places, heights = np.append(left, places), np.column_stack([np.zeros(len(shifts)), shifts])
    if len(places) < 2:
        return np.full(len(shifts), np.nan)
    return np.trapezoid(heights, places, axis=1) / (places[-1] - places[0])


def find_half_recall(
    recall: Float64[np.ndarray, " levels"], *, at: Sequence[float], left: float | None
) -> tuple[float, str]:
    """Return where recall first falls below a half, by linear interpolation, and how it is censored.

    Args:
        recall: Mean recall of each level.
        at: Severity or strength of each level, from mild to severe.
        left: Where recall is 1 by definition; None if there is no such place.

    Returns:
        The place, NaN if unknown, and ">", "<" or "".
    """
    points = [] if left is None else [(left, 1.0)]
    points += [
        (place, value) for place, value in zip(at, recall.tolist(), strict=True) if not np.isnan(value)
    ]
    if not points or np.isnan(recall).all():
        return float("nan"), ""
    if points[0][1] < 0.5:
        return float("nan"), "<"
    for (one, before), (other, after) in pairwise(points):
        if after < 0.5:
            return one + (before - 0.5) / (before - after) * (other - one), ""
    return float("nan"), ">"


def mean_spearman(shifts: Float64[np.ndarray, "images levels"], /) -> tuple[float, int]:
    """Compute the mean over images of Spearman's correlation of shift and level; and the number of images.

    Images that lack a level, or whose shifts are all alike, are left out.
    """
    from scipy.stats import rankdata  # half a second to import, and seldom asked for

    kept = shifts[~np.isnan(shifts).any(axis=1)]
    if shifts.shape[1] < 3 or not len(kept):
        return float("nan"), 0
    ranks = rankdata(kept, axis=1)
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    steps = np.arange(shifts.shape[1]) - (shifts.shape[1] - 1) / 2
    lengths = np.sqrt((ranks**2).sum(axis=1) * (steps**2).sum())
    known = lengths > 0
    if not known.any():
        return float("nan"), 0
    return float((ranks[known] @ steps / lengths[known]).mean()), int(known.sum())
