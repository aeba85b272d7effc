"""Numbers that summarise a curve over levels: area, level of half recall, monotonicity."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

from embshift.analysis.sampling.shares import share_intervals

__all__ = ["find_half_recall", "find_half_recall_interval", "mean_areas", "rank_correlations"]

_STEPS = 40
"""Places between two levels at which the interval of recall is computed."""


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


def find_half_recall_interval(
    recall: Float64[np.ndarray, "images levels"],
    *,
    at: Sequence[float],
    left: float | None,
    draws: Sequence[int],
    level: float,
) -> tuple[float, float]:
    """Return the interval of the place where recall first falls below a half.

    It holds every place where Wilson's interval of the interpolated recall contains a half: from where its
    lower end first falls below a half to where its upper end does.

    Args:
        recall: Share of the draws of each image that find their original; NaN where undefined.
        at: Severity or strength of each level, from mild to severe.
        left: Where recall is 1 by definition; None if there is no such place.
        draws: Number of views of each level.
        level: Coverage.

    Returns:
        The milder and the more severe end: −∞ before the first level, ∞ beyond the last. NaN if unknown.
    """
    known = [column for column in range(len(at)) if not np.isnan(recall[:, column]).all()]
    if not known:
        return float("nan"), float("nan")
    places, values, most = [at[one] for one in known], recall[:, known], [draws[one] for one in known]
    if left is not None:
        whole = np.where(np.isnan(values).all(axis=1), np.nan, 1.0)
        places, values, most = [left, *places], np.column_stack([whole, values]), [most[0], *most]
    steps = np.linspace(0.0, len(places) - 1.0, _STEPS * (len(places) - 1) + 1)
    low = np.minimum(steps.astype(np.int64), max(len(places) - 2, 0))
    share, high = steps - low, np.minimum(low + 1, len(places) - 1)
    # Where a share is 0, what the next level lacks does not matter.
    table = np.where(share > 0, (1 - share) * values[:, low] + share * values[:, high], values[:, low])
    # Between two levels the views of both count.
    views = np.array(most)[low] + np.where(share > 0, np.array(most)[high], 0)
    found = share_intervals(table, draws=views, level=level)
    return _first_below(found.low, steps, places), _first_below(found.high, steps, places)


def _first_below(
    ends: Float64[np.ndarray, " steps"], steps: Float64[np.ndarray, " steps"], places: Sequence[float]
) -> float:
    below = np.flatnonzero(ends < 0.5)
    if not len(below):
        return float("inf")
    if not below[0]:
        return float("-inf")
    one, other = below[0] - 1, below[0]
    share = (ends[one] - 0.5) / (ends[one] - ends[other])
    place = steps[one] + share * (steps[other] - steps[one])
    return float(np.interp(place, np.arange(len(places)), places))


def rank_correlations(shifts: Float64[np.ndarray, "images levels"], /) -> Float64[np.ndarray, " images"]:
    """Compute Spearman's correlation of shift and level of each image.

    Returns:
        From −1 to 1; NaN for an image that lacks a level, or whose shifts are all alike, and for fewer than
        three levels.
    """
    from scipy.stats import rankdata  # half a second to import, and seldom asked for

    found = np.full(len(shifts), np.nan)
    whole = ~np.isnan(shifts).any(axis=1)
    if shifts.shape[1] < 3 or not whole.any():
        return found
    ranks = rankdata(shifts[whole], axis=1)
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    steps = np.arange(shifts.shape[1]) - (shifts.shape[1] - 1) / 2
    lengths = np.sqrt((ranks**2).sum(axis=1) * (steps**2).sum())
    found[whole] = np.divide(ranks @ steps, lengths, out=np.full(len(ranks), np.nan), where=lengths > 0)
    return found
