"""Intervals of the compared statistics and of their differences: each alone, and all transforms together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy
from jaxtyping import Bool, Float64, Int64

from embshift.analysis.compared.catalogue import SHARES
from embshift.analysis.compared.score import score_interval
from embshift.analysis.compared.values import ComparedValues
from embshift.analysis.sampling.bootstrap import (
    FEWEST,
    LEVEL,
    RESAMPLES,
    Intervals,
    bca,
    influence,
    means,
    weighted_means,
)
from embshift.analysis.sampling.shares import share_intervals

__all__ = [
    "Estimates",
    "Sample",
    "estimate",
    "estimate_one",
    "resample",
    "sample_differences",
    "sample_values",
]

Columns = Float64[np.ndarray, "images columns"]
Row = Float64[np.ndarray, " columns"]
Grid = Float64[np.ndarray, "transforms statistics"]

_CROWDED = frozenset({"nearer_share"})
"""Shares that are 0 for most images: a bootstrap sees hardly any of the others while they are few."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Values of images whose means are estimated: those of one run, or differences of two.

    Attributes:
        transforms: Names of the transforms.
        statistics: Names of the statistics; there is a column for each of them and each transform.
        values: Value of each image; NaN where undefined.
        pulls: Influence of each image on each mean, denominators included; 0 where it has none.
        draws: Number of draws behind a value of one run; 0 for differences of two.
    """

    transforms: tuple[str, ...]
    statistics: tuple[str, ...]
    values: Columns
    pulls: Columns
    draws: int

    @property
    def shares(self) -> Bool[np.ndarray, " columns"]:
        """Which columns have score intervals: proportions, and shares with hardly any image away from 0."""
        away = ((self.values != 0) & ~np.isnan(self.values)).sum(axis=0)
        own, crowded = (
            np.array([name in names for name in self.statistics] * len(self.transforms), bool)
            for names in (SHARES, _CROWDED)
        )
        return own | (crowded & (away < FEWEST))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Means of statistics, or of their differences, with intervals.

    Attributes:
        transforms: Names along the first axis.
        statistics: Names along the second axis.
        mean: Mean over images.
        low: Lower end of each interval alone; NaN for fewer than ten images.
        high: Upper end.
        joint_low: Lower end of intervals that hold for all transforms of a statistic together.
        joint_high: Upper end.
        reach: Distance of the joint ends from the mean in standard errors, before skewness changes it.
        n: Number of images.
        deviation: Standard deviation over images, with what denominators add: over √n, the standard error.
        level: Coverage.
    """

    transforms: tuple[str, ...]
    statistics: tuple[str, ...]
    mean: Grid
    low: Grid
    high: Grid
    joint_low: Grid
    joint_high: Grid
    reach: Grid
    n: Int64[np.ndarray, "transforms statistics"]
    deviation: Grid
    level: float


def sample_values(found: ComparedValues, *, draws: int) -> Sample:
    """Return the values of one run as a sample.

    Args:
        found: Values of its images.
        draws: Number of draws of each transform, 1 or more.
    """
    return _sample(found, found.values, found.scale_pulls, draws=draws)


def sample_differences(first: ComparedValues, second: ComparedValues, /) -> Sample:
    """Return second − first as a sample.

    Args:
        first: Values of the images of one run.
        second: Values of the same images and transforms in the other.
    """
    return _sample(first, second.values - first.values, second.scale_pulls - first.scale_pulls, draws=0)


def _sample(
    found: ComparedValues,
    values: Float64[np.ndarray, "images transforms statistics"],
    through: Float64[np.ndarray, "images transforms statistics"],
    *,
    draws: int,
) -> Sample:
    flat = values.reshape(len(values), values.shape[1] * values.shape[2])  # of no image as well
    return Sample(
        transforms=found.transforms,
        statistics=found.statistics,
        values=flat,
        pulls=influence(flat) + through.reshape(flat.shape),
        draws=draws,
    )


def estimate(
    samples: Sequence[Sample], /, *, level: float = LEVEL, resamples: int = RESAMPLES, seed: int = 0
) -> list[Estimates]:
    """Estimate the means of several samples of the same images, all on the same resamples.

    Args:
        samples: What `sample_values` and `sample_differences` gave.
        level: Coverage.
        resamples: Number of resamples of the images.
        seed: Seed of the resamples.
    """
    apart = resample(samples, resamples=resamples, seed=seed)
    return [estimate_one(one, part, level=level) for one, part in zip(samples, apart, strict=True)]


def resample(
    samples: Sequence[Sample], /, *, resamples: int, seed: int
) -> list[Float64[np.ndarray, "resamples columns"]]:
    """Return for each sample how far the mean of each resample lies from that of all images.

    Args:
        samples: Samples of the same images.
        resamples: Number of resamples of the images.
        seed: Seed of the resamples.
    """
    pulls = np.concatenate([one.pulls for one in samples], axis=1)
    apart = weighted_means(pulls, resamples=resamples, seed=seed)
    return np.split(apart, np.cumsum([one.pulls.shape[1] for one in samples])[:-1], axis=1)


def estimate_one(
    sample: Sample, apart: Float64[np.ndarray, "resamples columns"], /, *, level: float = LEVEL
) -> Estimates:
    """Estimate the means of a sample.

    Means have BCa intervals of their linear part, which holds the denominators. Proportions have Wilson's
    interval, their differences Tango's. All transforms of a statistic together: studentised max-T for means,
    Bonferroni for proportions.

    Args:
        sample: What `sample_values` or `sample_differences` gave.
        apart: What `resample` gave for it.
        level: Coverage.
    """
    alone, joint, reach = _estimate_means(sample, apart, level=level)
    shares, count = sample.shares, max(len(sample.transforms), 1)
    enough = (~np.isnan(sample.values)).sum(axis=0) >= FEWEST
    score = _score(sample, level=level)
    together = 1 - (1 - level) / count
    joint_score = _score(sample, level=together)
    normal = np.full(len(shares), float(scipy.special.ndtri((1 + together) / 2)))
    shape = (len(sample.transforms), len(sample.statistics))

    def choose(one: Row, other: Row) -> Grid:
        return np.where(enough, np.where(shares, one, other), np.nan).reshape(shape)

    return Estimates(
        transforms=sample.transforms,
        statistics=sample.statistics,
        mean=alone.mean.reshape(shape),
        low=choose(score.low, alone.low),
        high=choose(score.high, alone.high),
        # Symmetric intervals of all could be narrower on one side than a skewed one alone.
        joint_low=choose(joint_score.low, np.fmin(joint.low, alone.low)),
        joint_high=choose(joint_score.high, np.fmax(joint.high, alone.high)),
        reach=choose(normal, reach),
        n=alone.n.reshape(shape),
        deviation=_deviation(sample).reshape(shape),
        level=level,
    )


def _estimate_means(
    sample: Sample, apart: Float64[np.ndarray, "resamples columns"], *, level: float
) -> tuple[Intervals, Intervals, Row]:
    """Return BCa intervals of each mean alone, and studentised ones of all together with their reach."""
    mean, n = means(sample.values), (~np.isnan(sample.values)).sum(axis=0)
    alone = bca(mean + apart, mean=mean, pulls=sample.pulls, n=n, level=level)
    spread = apart.std(axis=0)
    studentised = np.divide(np.abs(apart), spread, out=np.zeros_like(apart), where=spread > 0)
    by_statistic = studentised.reshape(len(apart), len(sample.transforms), len(sample.statistics))
    most = np.quantile(by_statistic.max(axis=1, initial=0.0), level, axis=0)
    reach = np.tile(most, len(sample.transforms))
    wide = reach * _deviation(sample) / np.sqrt(np.maximum(n, 1))
    return alone, replace(alone, low=mean - wide, high=mean + wide), reach


def _deviation(sample: Sample) -> Row:
    images, n = len(sample.values), (~np.isnan(sample.values)).sum(axis=0)
    # Pulls are N/n times deviations from the mean.
    squares = (sample.pulls**2).sum(axis=0) * (n / max(images, 1)) ** 2
    return np.sqrt(np.divide(squares, n - 1, out=np.full(len(n), np.nan), where=n > 1))


def _score(sample: Sample, *, level: float) -> Intervals:
    """Return score intervals of columns with values from 0 to 1, or with differences of such."""
    values = np.where(sample.shares, sample.values, np.nan)
    if sample.draws:
        trials = np.full(values.shape[1], sample.draws * len(values))
        return share_intervals(values, draws=trials, level=level)
    low, high = score_interval(values, level=level)
    n = (~np.isnan(values)).sum(axis=0)
    return Intervals(mean=means(values), low=low, high=high, n=n, plain=np.zeros(len(n), bool))
