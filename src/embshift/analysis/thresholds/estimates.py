"""Estimates: values and intervals from scores, and which thresholds the pairs support."""

import math
from collections.abc import Sequence

import numpy as np
import scipy
from jaxtyping import Float64

from embshift.analysis.sampling.bootstrap import FEWEST
from embshift.analysis.sampling.shares import wilson
from embshift.analysis.thresholds.curves import (
    Counts,
    compute_auc,
    compute_uap,
    count_others,
    find_at_precision,
    find_at_rate,
    find_auc_pulls,
    find_between,
    find_next_below,
)
from embshift.analysis.thresholds.resampling import resample_scores
from embshift.analysis.thresholds.result import Estimate, Operating, ThresholdRow
from embshift.analysis.thresholds.scores import Scores

__all__ = ["FEWEST_IMAGES", "FEWEST_PAIRS", "PRECISION", "RATES", "estimate_row"]

PRECISION = 0.9
"""Precision at which recall is given."""

RATES = (1e-3, 1e-4, 1e-5, 1e-6)
"""False-positive rates at which recall is given."""

FEWEST_PAIRS, FEWEST_IMAGES = 20, 10
"""False pairs, and different images in them, that a false-positive rate needs at least."""

_CURVE = 20
"""Points of a curve for each power of ten."""


def estimate_row(
    scores: Scores, *, transform: str, near_duplicates: str, resamples: int, level: float, seed: int
) -> ThresholdRow:
    """Estimate what thresholds do to a transform's views.

    Args:
        scores: Their cosines.
        transform: Its name.
        near_duplicates: How pairs of near-duplicates are treated.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the resamples.
    """
    counts = count_others(scores)
    images = int((scores.views > 0).sum())
    chosen = [_at_rate(scores, counts, rate) for rate in RATES]
    precise = _at_precision(scores, counts)
    let_in = [one.let_in for one in (*chosen, precise)]
    if images >= FEWEST:
        drawn = resample_scores(
            scores,
            counts,
            precision=PRECISION,
            rates=RATES,
            let_in=[min(count, len(scores.tail)) for count in let_in],
            resamples=resamples,
            seed=seed,
        )
        spread = _spread([drawn.uap, drawn.at_precision, *drawn.at_rates.T], images)
        changes = [_relative_spread(column, images) for column in drawn.rates.T]
    else:
        spread, changes = [math.nan] * (2 + len(RATES)), [math.nan] * len(let_in)
    views = len(scores.own)
    interval = _Interval(images=images, views=views, gallery=len(scores.views), level=level)
    return ThresholdRow(
        transform=transform,
        near_duplicates=near_duplicates,
        images=images,
        views=views,
        pairs=scores.total,
        auc=interval.area(compute_auc(scores, counts), find_auc_pulls(scores, counts)),
        uap=interval.share(compute_uap(scores, counts), spread[0]),
        at_precision=interval.complete(precise, spread[1], changes[-1]),
        at_rates=tuple(
            interval.complete(one, own, change)
            for one, own, change in zip(chosen, spread[2:], changes[:-1], strict=True)
        ),
        **_draw_curve(scores, counts),
    )


def _spread(columns: Sequence[Float64[np.ndarray, " resamples"]], images: int) -> list[float]:
    """Return variances over resamples, n / (n − 1) times: a resample varies less than a new sample."""
    return [float(np.nanvar(column, ddof=1)) * images / (images - 1) for column in columns]


def _relative_spread(rates: Float64[np.ndarray, " resamples"], images: int) -> float:
    """Return the standard deviation of a rate's logarithm, from its relative variance over resamples."""
    mean = float(np.nanmean(rates))
    (variance,) = _spread([rates], images)
    return math.sqrt(math.log1p(variance / mean**2)) if mean > 0 else math.nan


class _Interval:
    """Adds intervals to values that come from a number of images."""

    def __init__(self, *, images: int, views: int, gallery: int, level: float) -> None:
        self._images, self._views, self._level = images, views, level
        self._disjoint = min(images, gallery // 2)

    def share(self, value: float, variance: float, *, most: float = math.inf) -> Estimate:
        """Return a share with Wilson's interval, for as many trials as its variance stands for."""
        if math.isnan(value) or self._images < FEWEST:
            return Estimate(value=value)
        binary = value * (1 - value)
        trials = binary / variance if binary > 0 and variance > 0 else float(self._images)
        low, high = wilson(np.array([value]), trials=np.array([min(trials, most)]), level=self._level)
        return Estimate(value=value, low=float(low[0]), high=float(high[0]))

    def area(self, value: float, pulls: Float64[np.ndarray, " images"]) -> Estimate:
        """Return the AUC with Wilson's interval; the lower end allows for one image that was not seen.

        Views that are far from their original are rare, and what few images show of them is too little. So
        the lower end is that of one image more, whose view carries no information: its AUC is 1/2.
        """
        if math.isnan(value) or self._images < FEWEST:
            return Estimate(value=value)
        n, lost = len(pulls), 1 - value
        more = (n * lost + 0.5) / (n + 1)
        squares = ((pulls + lost - more) ** 2).sum() + (0.5 - more) ** 2
        low = self.share(1 - more, float(squares) / (n * (n + 1))).low
        high = self.share(value, float((pulls**2).sum()) / (n * max(n - 1, 1))).high
        return Estimate(value=value, low=min(low, value), high=max(high, value))

    def complete(self, one: Operating, variance: float, change: float) -> Operating:
        """Return a threshold with the intervals of what it keeps and lets in."""
        if one.refused:
            return one
        recall = self.share(one.recall.value, variance, most=float(max(self._views, self._images)))
        return Operating(
            asked=one.asked,
            threshold=one.threshold,
            recall=recall,
            rate=self._rate(one, change),
            let_in=one.let_in,
            images=one.images,
        )

    def _rate(self, one: Operating, change: float) -> Estimate:
        """Return a rate with its interval; at zero the rule of three on pairs that share no image."""
        if not one.let_in and self._disjoint:
            high = min(1.0, -math.log(1 - self._level) / self._disjoint)
            return Estimate(value=0.0, low=0.0, high=high)
        if math.isnan(change) or one.let_in < FEWEST_PAIRS or one.images < FEWEST_IMAGES:
            return one.rate
        factor = math.exp(change * float(scipy.special.stdtrit(self._images - 1, (1 + self._level) / 2)))
        rate = one.rate.value
        return Estimate(value=rate, low=rate / factor, high=min(1.0, rate * factor))


def _at_rate(scores: Scores, counts: Counts, rate: float) -> Operating:
    allowed = rate * scores.total
    held = int(allowed)
    if held >= len(scores.tail):
        return _refuse(scores, rate, let_in=0)
    least = float(scores.tail.cosines[held])  # the first that must not be let in, and whatever equals it
    let_in = int(np.searchsorted(-scores.tail.cosines, -least, "left"))
    images = _count_images(scores, let_in)
    if let_in < FEWEST_PAIRS or images < FEWEST_IMAGES:
        return _refuse(scores, rate, let_in=let_in, images=images)
    kept = find_at_rate(counts, allowed)
    above = [float(scores.tail.cosines[let_in - 1]), *scores.own[kept - 1 : kept].tolist()]
    return Operating(
        asked=rate,
        threshold=find_between(least, min(above)),
        recall=Estimate(value=kept / len(scores.own) if len(scores.own) else math.nan),
        rate=Estimate(value=let_in / scores.total),
        let_in=let_in,
        images=images,
    )


def _refuse(scores: Scores, rate: float, *, let_in: int, images: int = 0) -> Operating:
    none = Estimate(value=math.nan)
    expected = rate * scores.total
    if expected < FEWEST_PAIRS:
        why = f"{rate:g} of {scores.total:,} other pairs are {expected:.3g}, fewer than {FEWEST_PAIRS}"
    elif let_in < FEWEST_PAIRS:
        why = f"more than {rate:g} of the {scores.total:,} other pairs have one and the same highest cosine"
    else:
        why = f"its {let_in:,} false pairs come from {images} images, fewer than {FEWEST_IMAGES}"
    return Operating(
        asked=rate, threshold=math.nan, recall=none, rate=none, let_in=let_in, images=images, refused=why
    )


def _at_precision(scores: Scores, counts: Counts) -> Operating:
    kept = find_at_precision(counts, PRECISION)
    if not kept:
        none = Estimate(value=math.nan)
        recall = Estimate(value=0.0 if len(scores.own) else math.nan)
        return Operating(asked=PRECISION, threshold=math.nan, recall=recall, rate=none, let_in=0, images=0)
    lowest, let_in = float(scores.own[kept - 1]), int(counts.reach[kept - 1])
    return Operating(
        asked=PRECISION,
        threshold=find_between(find_next_below(scores, lowest), lowest),
        recall=Estimate(value=kept / len(scores.own)),
        rate=Estimate(value=let_in / scores.total if scores.total else math.nan),
        let_in=let_in,
        images=_count_images(scores, let_in),
    )


def _count_images(scores: Scores, let_in: int) -> int:
    """Return the number of different images among the highest pairs: of views or of others, the less."""
    top = scores.tail.highest(let_in)
    return min(len(np.unique(top.image)), len(np.unique(top.other)))


def _draw_curve(scores: Scores, counts: Counts) -> dict[str, Float64[np.ndarray, " points"]]:
    """Return the points of the ROC curve, from one false pair on."""
    if not scores.total or not len(scores.own):
        return {"curve_rates": np.empty(0), "curve_recalls": np.empty(0)}
    decades = math.log10(scores.total)
    rates = np.logspace(-decades, 0, max(2, math.ceil(_CURVE * decades) + 1))
    kept = np.searchsorted(counts.reach, rates * scores.total * (1 + 1e-12), "right")
    return {"curve_rates": rates, "curve_recalls": kept / len(scores.own)}
