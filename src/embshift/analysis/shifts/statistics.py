"""Intervals of every mean, and the certainty of ranks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.sampling.bootstrap import (
    LEVEL,
    RESAMPLES,
    Intervals,
    bca,
    influence,
    means,
    resampled_means,
)
from embshift.analysis.shifts.ranks import Ranks, rank_transforms
from embshift.core.errors import PlanError, UnknownNameError
from embshift.core.records import Record, to_pandas, write_html
from embshift.core.types import Direction, MetricSpec
from embshift.runs.values import ImageValues

__all__ = ["OVERALL", "Statistics", "check_statistics", "compute_statistics"]

OVERALL = "overall"
"""The default score of ranks: the mean of the performance metrics' means."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Statistics:
    """Means with intervals, and ranks with intervals.

    Attributes:
        transforms: Names along the first axis, in the order of the plan.
        metrics: Names along the second axis of `means`.
        means: Mean over images of every transform and metric, (transforms, metrics), in the metric's unit.
        overall: The overall score of every transform, (transforms,), a pure number; `n` is that of the metric
            with the fewest images.
        ranks: Order of the transforms.
        level: Coverage of each interval by itself; the coverage of the ranks is joint.
        resamples: Number of resamples of the images.
        seed: Their seed.
        parts: One line on how the statistics of many images came from sums; empty where all values were held.
    """

    transforms: tuple[str, ...]
    metrics: tuple[str, ...]
    means: Intervals
    overall: Intervals
    ranks: Ranks
    level: float
    resamples: int
    seed: int
    parts: str = ""

    def records(self) -> list[Record]:
        """Return one row for each transform: intervals of all means, and the plausible ranks."""
        ranks = {found.transform: found for found in self.ranks.intervals}
        return [
            {"transform": transform}
            | self.means.record(at, names=self.metrics)
            | self.overall.record(at, names=("overall",))
            | {f"rank_{end}": getattr(ranks.get(transform), end, None) for end in ("low", "high")}
            for at, transform in enumerate(self.transforms)
        ]

    to_pandas = to_pandas
    _repr_html_ = write_html


def compute_statistics(
    values: ImageValues,
    *,
    metrics: Sequence[MetricSpec],
    by: str = OVERALL,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Statistics:
    """Bootstrap images in pairs: BCa intervals of all means, and ranks with simultaneous intervals.

    Every transform and metric is computed on the same resampled images; a mean is over their defined values.

    Args:
        values: One value per image, transform and metric.
        metrics: Specs of the metrics along the last axis, in order.
        by: Score that transforms are ranked by: "overall" or the name of a metric.
        resamples: Number of resamples, 100 or more.
        level: Coverage of the intervals, above 0 and below 1.
        seed: Seed of the resamples.

    Raises:
        PlanError: If `resamples` or `level` are out of range.
        UnknownNameError: If the score is unknown.
    """
    check_statistics(metrics, by=by, resamples=resamples, level=level)
    scores = _all_scores(values, resamples=resamples, seed=seed)
    overall = _overall(scores, [spec.performance for spec in metrics])
    spec = next((spec for spec in metrics if spec.name == by), None)
    ranked = overall if spec is None else _part(scores, values.metrics.index(by))
    return Statistics(
        transforms=values.transforms,
        metrics=values.metrics,
        means=_intervals(scores, level=level),
        overall=_intervals(overall, level=level),
        ranks=rank_transforms(
            ranked.mean,
            resampled=ranked.resampled,
            pulls=ranked.pulls,
            known=ranked.n > 1,
            transforms=values.transforms,
            by=by,
            seed=seed,
            higher=spec is None or spec.direction is Direction.HIGHER,
            level=level,
        ),
        level=level,
        resamples=resamples,
        seed=seed,
    )


def check_statistics(metrics: Sequence[MetricSpec], *, by: str, resamples: int, level: float) -> None:
    """Check the options of statistics.

    Raises:
        PlanError: If `resamples` or `level` are out of range.
        UnknownNameError: If the score is unknown.
    """
    known = (OVERALL, *(spec.name for spec in metrics))
    if by not in known:
        raise UnknownNameError("score", by, known)
    if resamples < 100:
        raise PlanError(f"resamples is {resamples}; expected 100 or more, e.g. {RESAMPLES}")
    if not 0 < level < 1:
        raise PlanError(f"level is {level}; expected a share above 0 and below 1, e.g. {LEVEL}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Scores:
    """Means of any scores over images and over resamples, and the influence of each image on them."""

    mean: Float64[np.ndarray, "*shape"]
    n: Int64[np.ndarray, "*shape"]
    resampled: Float64[np.ndarray, "resamples ..."]
    pulls: Float64[np.ndarray, "images ..."]


def _all_scores(values: ImageValues, *, resamples: int, seed: int) -> _Scores:
    shape = values.values.shape[1:]
    flat = values.values.reshape(len(values.rows), shape[0] * shape[1])
    return _Scores(
        mean=means(flat).reshape(shape),
        n=(~np.isnan(flat)).sum(axis=0).reshape(shape),
        resampled=resampled_means(flat, resamples=resamples, seed=seed).reshape(resamples, *shape),
        pulls=influence(flat).reshape(len(flat), *shape),
    )


def _part(scores: _Scores, metric: int) -> _Scores:
    return _Scores(
        mean=scores.mean[:, metric],
        n=scores.n[:, metric],
        resampled=scores.resampled[:, :, metric],
        pulls=scores.pulls[:, :, metric],
    )


def _overall(scores: _Scores, performance: Sequence[bool]) -> _Scores:
    """Return the mean of the performance metrics; NaN if one of them is, or there is none."""
    taken = np.array(performance, bool)
    none = np.nan if not taken.any() else 0.0
    share = max(int(taken.sum()), 1)
    return _Scores(
        mean=scores.mean[:, taken].sum(axis=1) / share + none,
        n=scores.n[:, taken].min(axis=1, initial=len(scores.pulls) if taken.any() else 0),
        resampled=scores.resampled[:, :, taken].sum(axis=2) / share + none,
        pulls=scores.pulls[:, :, taken].sum(axis=2) / share,
    )


def _intervals(scores: _Scores, *, level: float) -> Intervals:
    shape = scores.mean.shape
    found = bca(
        scores.resampled.reshape(len(scores.resampled), scores.mean.size),
        mean=scores.mean.ravel(),
        pulls=scores.pulls.reshape(len(scores.pulls), scores.mean.size),
        n=scores.n.ravel(),
        level=level,
    )
    return Intervals(
        mean=scores.mean,
        low=found.low.reshape(shape),
        high=found.high.reshape(shape),
        n=scores.n,
        plain=found.plain.reshape(shape),
    )
