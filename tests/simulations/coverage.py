"""How often intervals hold what they say, on numbers whose truth is known."""

import math
from dataclasses import dataclass

import numpy as np

from embshift.analysis.embeddings.undo_direction import removed_shares
from embshift.analysis.sampling.bootstrap import Intervals, bca, influence, means, resampled_means
from embshift.analysis.sampling.percentiles import percentile_interval
from embshift.analysis.sampling.shares import replace_shares, share_intervals
from embshift.analysis.shifts.ranks import rank_transforms
from embshift.analysis.strength.curve_numbers import find_half_recall_interval

SPREAD = 0.5
"""σ of the lognormal shifts; their mean is exp(σ²/2)."""

_TOGETHER = 100
"""Simulated runs that share their resamples: each stays as it would be, and counts are drawn once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Share of the simulated runs whose interval held the truth.

    Attributes:
        held: The share; NaN where the product gives no interval.
        error: Its Monte-Carlo standard error.
    """

    held: float
    error: float


def count_held(low, high, truth):
    """Count intervals that hold the truth; those that are not given hold nothing."""
    if np.isnan(low).all():
        return Share(held=math.nan, error=math.nan)
    held = float(((low <= truth + 1e-12) & (truth - 1e-12 <= high)).mean())
    return Share(held=held, error=math.sqrt(held * (1 - held) / len(low)))


def _blocks(trials):
    return [(start, min(_TOGETHER, trials - start)) for start in range(0, trials, _TOGETHER)]


def _bca(table, *, resamples, seed):
    return bca(
        resampled_means(table, resamples=resamples, seed=seed),
        mean=means(table),
        pulls=influence(table),
        n=np.full(table.shape[1], len(table)),
    )


def _join(found):
    return (np.concatenate([getattr(one, end) for one in found]) for end in ("low", "high"))


def mean_coverage(images, *, trials, resamples, seed=0, skewed=False):
    """Intervals of a mean of lognormal shifts, or of exponential ones."""
    found = list[Intervals]()
    for start, columns in _blocks(trials):
        rng = np.random.default_rng((seed, images, start))
        size = (images, columns)
        table = rng.exponential(size=size) if skewed else rng.lognormal(sigma=SPREAD, size=size)
        found.append(_bca(table, resamples=resamples, seed=start))
    return count_held(*_join(found), 1.0 if skewed else math.exp(SPREAD**2 / 2))


def proportion_coverage(images, share, *, trials, draws=1, agreement=0.0, seed=0):
    """Wilson intervals of a proportion; draws of one image agree as a beta distribution makes them."""
    rng = np.random.default_rng((seed, images, draws, round(1000 * share)))
    size = (images, trials)
    if agreement:
        spread = (1 - agreement) / agreement
        chances = rng.beta(share * spread, (1 - share) * spread, size=size)
    else:
        chances = np.full(size, share)
    table = rng.binomial(draws, chances) / draws
    found = share_intervals(table, draws=np.full(trials, images * draws))
    return count_held(found.low, found.high, share)


GALLERY = 36
"""Number of images among which a view's own is searched for."""


def mrr_coverage(images, lost, *, trials, resamples, seed=0):
    """Intervals of a mean reciprocal rank; a share of the views is lost, and far ranks are rare."""
    ranks = np.arange(1, GALLERY + 1)
    rest = (1 / ranks[1:]) / (1 / ranks[1:]).sum()
    chances = np.concatenate([[1 - lost], lost * rest])
    found = list[Intervals]()
    for start, columns in _blocks(trials):
        rng = np.random.default_rng((seed, images, start))
        table = 1 / rng.choice(ranks, p=chances, size=(images, columns))
        intervals = _bca(table, resamples=resamples, seed=start)
        found.append(
            replace_shares(
                intervals,
                table,
                bounds=[(0.0, 1.0)] * columns,
                proportions=[False] * columns,
                crowded=[True] * columns,
                draws=[images] * columns,
                level=0.95,
            )
        )
    return count_held(*_join(found), float((chances / ranks).sum()))


def percentile_coverage(images, share, *, trials, seed=0):
    """Intervals of a percentile of lognormal shifts."""
    rng = np.random.default_rng((seed, images))
    ends = [percentile_interval(rng.normal(size=images), share) for _ in range(trials)]
    low, high = np.array(ends).T
    return count_held(low, high, _NORMAL[share])


_NORMAL = {0.5: 0.0, 0.95: 1.6448536269514722}
"""Percentiles of the normal distribution; those of any increasing function of it are covered as often."""


def s50_coverage(images, *, trials, draws=1, seed=0):
    """Intervals of the level at which recall falls below a half; images differ in how much they stand."""
    at, truth, width = (1.0, 2.0, 3.0, 4.0, 5.0), None, 0.6
    ends = list[tuple[float, float]]()
    for trial in range(trials):
        rng = np.random.default_rng((seed, images, draws, trial))
        stands = rng.logistic(2.7, width, size=(images, 1))
        chances = 1 / (1 + np.exp((np.array(at) - stands) / 0.5))
        found = rng.binomial(draws, chances) / draws
        ends.append(find_half_recall_interval(found, at=at, left=0.0, draws=[images * draws] * 5, level=0.95))
    truth = _true_s50(at, width)
    low, high = np.array(ends).T
    return count_held(low, high, truth)


def _true_s50(at, width):
    """The place where the interpolated true recall is a half."""
    stands = np.random.default_rng(0).logistic(2.7, width, size=(1_000_000, 1))
    recall = [float((1 / (1 + np.exp((level - stands) / 0.5))).mean()) for level in at]
    after = next(place for place, value in enumerate(recall) if value < 0.5)
    share = (recall[after - 1] - 0.5) / (recall[after - 1] - recall[after])
    return at[after - 1] + share * (at[after] - at[after - 1])


def ratio_coverage(images, *, trials, resamples, seed=0):
    """Intervals of a share removed: 1 minus a ratio of two means over the same images."""
    found = list[Intervals]()
    for start, columns in _blocks(trials):
        rng = np.random.default_rng((seed, images, start))
        before = rng.lognormal(sigma=SPREAD, size=(images, columns))
        after = before * rng.beta(3, 3, size=(images, columns))
        found.append(removed_shares(after, before, resamples=resamples, level=0.95, seed=start))
    return count_held(*_join(found), 0.5)


CASES = {
    "all apart": (0.8, 0.7, 0.6, 0.5, 0.4),
    "three tied": (0.8, 0.8, 0.8, 0.7, 0.5),
    "all tied": (0.8, 0.8, 0.8, 0.8, 0.8),
}
"""True means of five transforms."""


def rank_coverage(truth, *, images, trials, resamples, seed=0):
    """Share of runs in which all rank intervals together hold all true ranks, every shared one of tied."""
    truth, held = np.array(truth), 0
    best = 1 + (truth > truth[:, None]).sum(axis=1)
    worst = len(truth) - (truth < truth[:, None]).sum(axis=1)
    for trial in range(trials):
        rng = np.random.default_rng((seed, trial))
        # What the transforms of one picture share, and skewed noise of their own.
        table = truth + 0.3 * rng.normal(size=(images, 1))
        table = table + 0.15 * (
            rng.lognormal(sigma=SPREAD, size=(images, len(truth))) - math.exp(SPREAD**2 / 2)
        )
        found = rank_transforms(
            means(table),
            resampled=resampled_means(table, resamples=resamples, seed=trial),
            pulls=influence(table),
            known=np.ones(len(truth), bool),
            transforms=[str(at) for at in range(len(truth))],
            by="simulated",
            seed=trial,
        )
        sides = zip(found.intervals, best.tolist(), worst.tolist())
        held += all(one.low <= low and high <= one.high for one, low, high in sides)
    share = held / trials
    return Share(held=share, error=math.sqrt(share * (1 - share) / trials))
