"""Intervals of means and ranks of a run that was summed in parts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from embshift.analysis.parts.normal import (
    clear_rounding,
    draw_normal,
    has_spread,
    make_intervals,
    measure_covariance,
    standard_errors,
)
from embshift.analysis.parts.part import Part, find_centres
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES, Intervals
from embshift.analysis.shifts.ranks import Ranks, assemble_ranks
from embshift.analysis.shifts.statistics import OVERALL, Statistics, check_statistics
from embshift.core.types import Direction, MetricSpec

__all__ = ["NormalScores", "compute_part_statistics", "pull_groups", "rank_by_metric", "rank_scores"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NormalScores:
    """Scores of transforms, means over many images.

    Attributes:
        mean: Score of each transform; NaN where undefined.
        covariance: Covariance of the scores over other images of the same kind.
        n: Number of images behind each.
        images: Number of images of the run.
    """

    mean: Float64[np.ndarray, " transforms"]
    covariance: Float64[np.ndarray, "transforms transforms"]
    n: Int64[np.ndarray, " transforms"]
    images: int


def compute_part_statistics(
    part: Part, *, by: str = OVERALL, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> Statistics:
    """Return intervals of all means, and ranks; the resamples are draws from a normal distribution.

    Args:
        part: The sums of a run.
        by: Score that transforms are ranked by: "overall" or the name of a metric.
        resamples: Number of draws, 100 or more.
        level: Coverage of the intervals, above 0 and below 1.
        seed: Seed of the draws.

    Raises:
        PlanError: If `resamples` or `level` are out of range.
        UnknownNameError: If the score is unknown.
    """
    check_statistics(part.metrics, by=by, resamples=resamples, level=level)
    covariance = measure_covariance(part)
    overall = _overall(part, covariance)
    spec = next((spec for spec in part.metrics if spec.name == by), None)
    ranked = overall if spec is None else _of_metric(part, covariance, spec)
    return Statistics(
        transforms=part.transforms,
        metrics=tuple(spec.name for spec in part.metrics),
        means=_mean_intervals(part, level=level),
        overall=_overall_intervals(part, overall, level=level),
        ranks=rank_scores(
            ranked, transforms=part.transforms, spec=spec, resamples=resamples, level=level, seed=seed
        ),
        level=level,
        resamples=resamples,
        seed=seed,
        parts=f"from sums over {part.images:,} images; ranks by normal draws in place of resamples",
    )


def rank_by_metric(
    part: Part, spec: MetricSpec, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> Ranks:
    """Rank by one metric.

    Args:
        part: The sums of a run.
        spec: The metric.
        resamples: Number of draws.
        level: Joint coverage of the intervals.
        seed: Seed of the draws.
    """
    scores = _of_metric(part, measure_covariance(part), spec)
    return rank_scores(
        scores, transforms=part.transforms, spec=spec, resamples=resamples, level=level, seed=seed
    )


def rank_scores(
    scores: NormalScores,
    *,
    transforms: tuple[str, ...],
    spec: MetricSpec | None,
    resamples: int,
    level: float,
    seed: int,
) -> Ranks:
    """Rank transforms, with simultaneous intervals of the ranks, as `rank_transforms` does.

    The largest studentised difference is taken over draws from the normal distribution of the means. Among so
    many images, standard errors hardly change from one resample to another: they are not computed anew.

    Args:
        scores: The scores.
        transforms: Names of the transforms.
        spec: The metric that they are ranked by; None for the overall score.
        resamples: Number of draws.
        level: Joint coverage.
        seed: Seed of the draws.
    """
    defined = np.flatnonzero(~np.isnan(scores.mean))
    covariance = scores.covariance[np.ix_(defined, defined)]
    mean = scores.mean[defined]
    error = standard_errors(covariance, images=scores.images)
    drawn = draw_normal(covariance, resamples=resamples, seed=seed)
    return assemble_ranks(
        mean,
        drawn=mean + drawn,
        error=error,
        critical=_find_critical(drawn, error, level=level),
        known=scores.n[defined] > 1,
        names=[transforms[at] for at in defined.tolist()],
        by=OVERALL if spec is None else spec.name,
        higher=spec is None or spec.direction is Direction.HIGHER,
        level=level,
    )


def _find_critical(
    drawn: Float64[np.ndarray, "resamples transforms"],
    error: Float64[np.ndarray, "transforms transforms"],
    *,
    level: float,
) -> float:
    """Return the quantile of the largest studentised difference."""
    largest = np.zeros(len(drawn))
    for at in range(drawn.shape[1] - 1):
        apart = np.abs(drawn[:, at + 1 :] - drawn[:, [at]])
        own = error[at, at + 1 :]
        ratio = np.divide(apart, own, out=np.zeros_like(apart), where=own > 0)
        largest = np.maximum(largest, ratio.max(axis=1))
    return float(np.quantile(largest, level, method="higher"))


def _of_metric(
    part: Part, covariance: Float64[np.ndarray, "columns columns"], spec: MetricSpec
) -> NormalScores:
    names = [one.name for one in part.metrics]
    own = np.arange(len(part.transforms)) * len(names) + names.index(spec.name)
    return NormalScores(
        mean=part.moments.known_mean[own],
        covariance=covariance[np.ix_(own, own)],
        n=part.moments.n[own],
        images=part.images,
    )


def _overall(part: Part, covariance: Float64[np.ndarray, "columns columns"]) -> NormalScores:
    """Return the mean of the performance metrics; NaN if one of them is, or there is none."""
    taken, weights = _taken(part), _weigh(part)
    means = part.moments.known_mean.reshape(part.shape)[:, taken]
    n = part.moments.n.reshape(part.shape)[:, taken]
    return NormalScores(
        mean=means.sum(axis=1) / max(means.shape[1], 1) + (0.0 if taken.any() else np.nan),
        covariance=clear_rounding(weights @ covariance @ weights.T),
        n=n.min(axis=1, initial=part.images if taken.any() else 0),
        images=part.images,
    )


def _taken(part: Part) -> Bool[np.ndarray, " metrics"]:
    return np.array([spec.performance for spec in part.metrics], bool)


def _weigh(part: Part) -> Float64[np.ndarray, "transforms columns"]:
    """Return the weights with which the columns make up the overall scores."""
    share = _taken(part) / max(int(_taken(part).sum()), 1)
    return np.kron(np.eye(len(part.transforms)), share)


def _mean_intervals(part: Part, *, level: float) -> Intervals:
    found, n = part.moments, np.maximum(part.moments.n, 1)
    spread = has_spread(part)
    squares = np.where(spread, found.squares, np.nan)
    return make_intervals(
        found.known_mean.reshape(part.shape),
        error=np.where(spread, np.sqrt(found.squares) / n, 0.0).reshape(part.shape),
        acceleration=(found.cubes / (6 * squares**1.5)).reshape(part.shape),
        spread=spread.reshape(part.shape),
        n=found.n.reshape(part.shape),
        level=level,
    )


def pull_groups(part: Part) -> Float64[np.ndarray, "groups transforms"]:
    """Return how far each group of images pulls the overall scores from their values without it."""
    n = np.maximum(part.moments.n, 1)
    middle = part.moments.mean - np.tile(find_centres(part.metrics), len(part.transforms))
    return (part.groups.sums - part.groups.n * middle) / n @ _weigh(part).T


def _overall_intervals(part: Part, overall: NormalScores, *, level: float) -> Intervals:
    """Return intervals of the overall scores; their skew is that of sums over groups of images."""
    pulls = pull_groups(part)
    squares, cubes = (pulls**2).sum(axis=0), (pulls**3).sum(axis=0)
    error = np.sqrt(np.diag(overall.covariance))
    with np.errstate(invalid="ignore"):
        spread = error > 1e-12 * np.abs(overall.mean)
    acceleration = np.divide(cubes, 6 * squares**1.5, out=np.zeros(len(cubes)), where=squares > 0)
    return make_intervals(
        overall.mean,
        error=np.where(spread, error, 0.0),
        acceleration=acceleration,
        spread=spread,
        n=overall.n,
        level=level,
    )
