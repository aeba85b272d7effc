"""Curves over thresholds: AUC, µAP, and what is kept and let in at a cosine."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.thresholds.scores import Scores, to_cells

__all__ = [
    "Counts",
    "compute_auc",
    "compute_uap",
    "count_others",
    "find_at_precision",
    "find_at_rate",
    "find_auc_pulls",
    "find_between",
    "find_next_below",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Counts:
    """For each view, in descending order of its own cosine, the pairs that rank before it.

    Attributes:
        reach: Number of other pairs whose cosine is at least the view's own.
        above: Number of those whose cosine is above it.
        views: Number of views whose own cosine is at least as high, the view itself included.
    """

    reach: Int64[np.ndarray, " views"]
    above: Int64[np.ndarray, " views"]
    views: Int64[np.ndarray, " views"]


def count_others(scores: Scores) -> Counts:
    """Count the other pairs before each view: exactly within the tail, by cells of 1e-6 below it."""
    falling, own = -scores.tail.cosines, -scores.own
    reach, above = np.searchsorted(falling, own, "right"), np.searchsorted(falling, own, "left")
    if len(scores.tail) < scores.total:
        least = scores.tail.cosines[-1] if len(scores.tail) else np.inf
        below = scores.own < least
        at, held = to_cells(scores.own[below]), len(scores.tail)
        from_cell = np.cumsum(scores.cells[::-1])[::-1]
        reach[below] = np.maximum(from_cell[at], held)
        above[below] = np.maximum(np.append(from_cell, 0)[at + 1], held)
    return Counts(reach=reach, above=above, views=np.searchsorted(own, own, "right"))


def compute_auc(scores: Scores, counts: Counts) -> float:
    """Return the share of (view, other pair) in which the view's own cosine is higher, ties half; or NaN."""
    if not len(scores.own) or not scores.total:
        return math.nan
    return 1.0 - float(_mean_rank(counts).sum()) / (len(scores.own) * scores.total)


def _mean_rank(counts: Counts) -> Float64[np.ndarray, " views"]:
    return 0.5 * (counts.reach + counts.above)


def find_auc_pulls(scores: Scores, counts: Counts) -> Float64[np.ndarray, " images"]:
    """Return the influence of each image on the AUC; their squares' sum over n² is the bootstrap's variance.

    An image takes part with its own cosines, with its views among other originals, and as the other original
    of all views. Its influence is n times the derivative of 1 − AUC by its weight, where a pair of two images
    weighs the product of their weights; the influences sum to 0.

    References:
        Efron & Tibshirani 1993, An introduction to the bootstrap, chapter 22: infinitesimal jackknife.
    """
    images, own = (
        len(scores.views),
        np.bincount(scores.owner, _mean_rank(counts), minlength=len(scores.views)),
    )
    lost = own.sum()
    if not lost:
        return np.zeros(images)
    all_views = scores.views.sum()
    pairs = scores.views * (images - 1.0) + (all_views - scores.views)
    one, other = scores.left_out.T
    pairs -= np.bincount(one, scores.views[one], minlength=images)
    pairs -= np.bincount(other, scores.views[one], minlength=images)
    share = lost / (len(scores.own) * scores.total)
    changes = (own + scores.rows + scores.columns) / lost - scores.views / all_views - pairs / scores.total
    return images * share * changes


def compute_uap(scores: Scores, counts: Counts) -> float:
    """Return the micro average precision over all pairs of views and originals; NaN without a view.

    All pairs are ranked together, by cosine. The µAP is the mean, over views, of the precision among the
    pairs down to the view and its own original. Ties are pessimistic: other pairs rank before own ones.

    References:
        Douze et al. 2021, The 2021 Image Similarity Dataset and Challenge (arXiv 2106.09672), section 4.2.
    """
    if not len(scores.own):
        return math.nan
    rank = np.arange(1, len(scores.own) + 1)
    return float(np.mean(rank / (rank + counts.reach)))


def find_at_precision(counts: Counts, precision: float) -> int:
    """Return how many views are kept at the lowest own cosine at which a share of the kept pairs is right."""
    right = counts.views / np.maximum(counts.views + counts.reach, 1) >= precision
    kept = np.flatnonzero(right)
    return int(counts.views[kept[-1]]) if len(kept) else 0


def find_at_rate(counts: Counts, allowed: float) -> int:
    """Return how many views are kept at the lowest cosine that lets in at most a number of other pairs."""
    return int(np.searchsorted(counts.reach, allowed, "right"))


def find_between(low: float, high: float) -> float:
    """Return the shortest decimal above ``low`` and up to ``high``; ``high`` if there is none."""
    for digits in range(2, 17):
        scale = 10.0**digits
        found = math.floor(high * scale) / scale
        if low < found <= high:
            return found
    return high


def find_next_below(scores: Scores, value: float) -> float:
    """Return the highest cosine below a value, of a view's own or of another pair; −1 if there is none."""
    found = [-1.0]
    own = scores.own[np.searchsorted(-scores.own, -value, "right") :]
    other = scores.tail.cosines[np.searchsorted(-scores.tail.cosines, -value, "right") :]
    return max(found + [float(part[0]) for part in (own, other) if len(part)])
