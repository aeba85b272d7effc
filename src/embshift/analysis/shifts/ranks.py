"""Ranks of transforms and their certainty: bootstrap rank frequencies, simultaneous intervals of ranks."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64

from embshift.analysis.sampling.bootstrap import LEVEL, weighted_means

__all__ = ["RankInterval", "Ranks", "assemble_ranks", "rank_transforms", "zero_rounding"]

PAIRS_AT_ONCE = 512
"""Pairs whose variances are resampled at once, to limit memory."""

_TIE = 1e-12
"""Scores closer than this, relative to the greatest score, are equal: they differ by rounding only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankInterval:
    """The rank of one transform, with its interval.

    Attributes:
        transform: Its name.
        rank: 1 for the transform closest to the original; equal scores share the better rank.
        low: Best plausible rank.
        high: Worst plausible rank.
    """

    transform: str
    rank: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranks:
    """The order of transforms by one score, and its certainty.

    Attributes:
        by: The score: "overall" or a metric.
        transforms: Names along every axis: transforms with a defined score, in the order of the plan.
        score: Mean over images of each, in the metric's unit.
        intervals: Rank of each with its interval, in the order of `transforms`. The intervals hold jointly:
            with probability `level` all of them cover the ranks that infinitely many images would give.
        frequency: Share of resamples in which a transform (row) has each rank (column, from 1); equal scores
            share their ranks evenly. It is not the probability that the rank is true: for two equal
            transforms it may take any value. NaN for fewer than two images.
        difference: Score of the row minus score of the column, in the metric's unit.
        half_width: Half the width of the interval of each difference; the intervals hold jointly at `level`.
            Infinite if there are too few images.
        certain: Whether the row is certainly closer to the original than the column: the interval of their
            difference excludes 0.
        critical: Multiple of its standard error that a difference must exceed.
        level: Joint coverage.
        resamples: Number of resamples used: those in which every score is defined.
    """

    by: str
    transforms: tuple[str, ...]
    score: Float64[np.ndarray, " transforms"]
    intervals: tuple[RankInterval, ...]
    frequency: Float64[np.ndarray, "transforms ranks"]
    difference: Float64[np.ndarray, "transforms transforms"]
    half_width: Float64[np.ndarray, "transforms transforms"]
    certain: Bool[np.ndarray, "transforms transforms"]
    critical: float
    level: float
    resamples: int

    def ordered(self) -> tuple[RankInterval, ...]:
        """Return the intervals from the closest to the furthest transform; ties in the order of the plan."""
        return tuple(sorted(self.intervals, key=lambda one: one.rank))

    def adjacent(self) -> tuple[tuple[str, str, bool], ...]:
        """Return each pair of neighbours in the order, closer first, and whether their order is certain."""
        names = [one.transform for one in self.ordered()]
        at = {name: position for position, name in enumerate(self.transforms)}
        pairs = pairwise(names)
        return tuple((one, other, bool(self.certain[at[one], at[other]])) for one, other in pairs)


def rank_transforms(
    score: Float64[np.ndarray, " transforms"],
    *,
    resampled: Float64[np.ndarray, "resamples transforms"],
    pulls: Float64[np.ndarray, "images transforms"],
    known: Bool[np.ndarray, " transforms"],
    transforms: Sequence[str],
    by: str,
    seed: int,
    higher: bool = True,
    level: float = LEVEL,
) -> Ranks:
    """Rank transforms, with simultaneous intervals of the ranks.

    The largest studentised difference of any two transforms over the resamples gives one critical value c, so
    that the intervals Δⱼₖ ± c·seⱼₖ of all differences hold jointly. A transform's rank is at least 1 + the
    number of transforms certainly closer, and at most the number of all transforms less those certainly
    further. Transforms may be equal. Standard errors are recomputed in every resample: otherwise the
    intervals would cover too seldom on few images. The method cannot detect that the images are unlike those
    of interest.

    Args:
        score: Mean of each transform; transforms with NaN are left out.
        resampled: Mean of each transform over every resample.
        pulls: Influence of each image on each score; its mean over a resample is the change of the score.
        known: Whether a transform has a standard error: two images or more for each of its means.
        transforms: Names.
        by: Name of the score, for display.
        seed: Seed that `resampled` was drawn with.
        higher: Whether higher is closer.
        level: Joint coverage of the intervals.

    References:
        Mogstad, Romano, Shaikh & Wilhelm 2024, Inference for Ranks with Applications to Mobility across
        Neighbourhoods and Academic Achievement across Countries, Review of Economic Studies 91(1), section 3
        (single step, two-sided, all differences).
    """
    defined = np.flatnonzero(~np.isnan(score))
    names = [transforms[at] for at in defined.tolist()]
    score, resampled, known = score[defined], resampled[:, defined], known[defined]
    whole = np.asarray(~np.isnan(resampled).any(axis=1))
    error, critical = _critical(
        score, resampled, pulls=pulls[:, defined], whole=whole, seed=seed, level=level
    )
    return assemble_ranks(
        score,
        drawn=resampled[whole],
        error=error,
        critical=critical,
        known=known,
        names=names,
        by=by,
        higher=higher,
        level=level,
    )


def assemble_ranks(
    score: Float64[np.ndarray, " transforms"],
    *,
    drawn: Float64[np.ndarray, "resamples transforms"],
    error: Float64[np.ndarray, "transforms transforms"],
    critical: float,
    known: Bool[np.ndarray, " transforms"],
    names: Sequence[str],
    by: str,
    higher: bool,
    level: float,
) -> Ranks:
    """Return ranks, their intervals and frequencies, from standard errors and a critical value.

    Args:
        score: Defined mean of each transform.
        drawn: Means of other images: over resamples, or drawn from the distribution of the means.
        error: Standard error of every difference.
        critical: Multiple of its standard error that a difference must exceed.
        known: Whether a transform has a standard error.
        names: Names of the transforms.
        by: Name of the score.
        higher: Whether higher is closer.
        level: Joint coverage of the intervals.
    """
    difference = zero_rounding(score[:, None] - score, scale=score)
    half_width = _half_width(error, critical=critical, known=known)
    closer = difference if higher else -difference
    certain = closer > half_width
    return Ranks(
        by=by,
        transforms=tuple(names),
        score=score,
        intervals=_intervals(names, closer=closer, certain=certain),
        frequency=_frequency(drawn if higher else -drawn, known=known),
        difference=difference,
        half_width=half_width,
        certain=certain,
        critical=critical,
        level=level,
        resamples=len(drawn),
    )


def zero_rounding(
    values: Float64[np.ndarray, "*shape"], *, scale: Float64[np.ndarray, "*other"]
) -> Float64[np.ndarray, "*shape"]:
    """Set values that differ from 0 by rounding only to 0."""
    return np.where(np.abs(values) <= _TIE * np.abs(scale).max(initial=0.0), 0.0, values)


def _critical(
    score: Float64[np.ndarray, " transforms"],
    resampled: Float64[np.ndarray, "resamples transforms"],
    *,
    pulls: Float64[np.ndarray, "images transforms"],
    whole: Bool[np.ndarray, " resamples"],
    seed: int,
    level: float,
) -> tuple[Float64[np.ndarray, "transforms transforms"], float]:
    """Return the standard error of every difference, and the quantile of the largest studentised one."""
    first, second = np.triu_indices(len(score), 1)
    error = np.zeros((len(score), len(score)))
    largest = np.zeros(len(resampled))
    for start in range(0, len(first), PAIRS_AT_ONCE):
        one, other = first[start : start + PAIRS_AT_ONCE], second[start : start + PAIRS_AT_ONCE]
        apart = zero_rounding(pulls[:, one] - pulls[:, other], scale=pulls)  # images pairs
        error[one, other] = error[other, one] = np.sqrt((apart**2).mean(axis=0) / max(len(pulls) - 1, 1))
        change = resampled[:, one] - resampled[:, other] - (score[one] - score[other])
        change = zero_rounding(change, scale=score)
        largest = np.maximum(largest, _largest(apart, change, resamples=len(resampled), seed=seed))
    found = largest[whole]
    # "higher" returns an observed value: never one between a finite and an infinite value.
    return error, float(np.quantile(found, level, method="higher")) if len(found) else float("inf")


def _largest(
    apart: Float64[np.ndarray, "images pairs"],
    change: Float64[np.ndarray, "resamples pairs"],
    *,
    resamples: int,
    seed: int,
) -> Float64[np.ndarray, " resamples"]:
    """Return the largest studentised change of each resample; infinite if its images show no spread."""
    moments = weighted_means(np.concatenate([apart, apart**2], axis=1), resamples=resamples, seed=seed)
    first, second = moments[:, : apart.shape[1]], moments[:, apart.shape[1] :]
    variance = np.maximum(second - first**2, 0.0)
    variance[variance <= _TIE * second] = 0.0  # rounding where all images of a resample agree
    error = np.sqrt(variance / max(len(apart) - 1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(change) / error
    return np.where(change == 0, 0.0, ratio).max(axis=1)


def _half_width(
    error: Float64[np.ndarray, "transforms transforms"],
    *,
    critical: float,
    known: Bool[np.ndarray, " transforms"],
) -> Float64[np.ndarray, "transforms transforms"]:
    width = np.full(error.shape, np.inf)
    both = known[:, None] & known
    if np.isfinite(critical):
        width[both] = critical * error[both]
    np.fill_diagonal(width, 0.0)
    return width


def _intervals(
    names: Sequence[str],
    *,
    closer: Float64[np.ndarray, "transforms transforms"],
    certain: Bool[np.ndarray, "transforms transforms"],
) -> tuple[RankInterval, ...]:
    rank = 1 + (closer < 0).sum(axis=1)
    low, high = 1 + certain.sum(axis=0), len(names) - certain.sum(axis=1)
    rows = zip(names, rank.tolist(), low.tolist(), high.tolist(), strict=True)
    return tuple(RankInterval(transform=t, rank=r, low=best, high=worst) for t, r, best, worst in rows)


def _frequency(
    closeness: Float64[np.ndarray, "resamples transforms"], *, known: Bool[np.ndarray, " transforms"]
) -> Float64[np.ndarray, "transforms ranks"]:
    """Return the share of resamples by transform and rank; equal scores share the ranks that they occupy."""
    count = closeness.shape[1]
    if not closeness.size or not known.all():
        return np.full((count, count), np.nan)
    scale = np.abs(closeness).max()
    levels = np.round(closeness / (scale * _TIE)) if scale > 0 else closeness
    better = np.stack([(levels > levels[:, [at]]).sum(axis=1) for at in range(count)], axis=1)
    equal = np.stack([(levels == levels[:, [at]]).sum(axis=1) for at in range(count)], axis=1)
    ranks = np.arange(count)
    found = np.empty((count, count))
    for at in range(count):
        taken = (ranks >= better[:, [at]]) & (ranks < (better + equal)[:, [at]])
        found[at] = (taken / equal[:, [at]]).mean(axis=0)
    return found
