"""Whether metrics agree on the order of transforms: one statement for all metrics and pairs together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.analysis.shifts.sign_flips import FlipTest, flip_sides
from embshift.core.errors import PlanError
from embshift.core.types import Direction, MetricSpec
from embshift.runs.precision import MetricError
from embshift.runs.values import ImageValues

__all__ = ["JointOrder", "check_joint", "decide_order", "order_jointly"]

_FLOOR = 1e-5
"""Differences up to this, relative to the greatest mean, are rounding of float32."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointOrder:
    """What all metrics together say about the order of every two transforms.

    Attributes:
        transforms: Names along the second and third axis of `order`.
        metrics: Names along its first axis.
        order: 1 where the row is certainly closer to the original than the column by the metric, −1 where it
            is certainly further, else 0. With probability `level` or more, none of these is false.
        level: Joint level, over all metrics and pairs.
        resamples: Number of sign flips.
        exact: Whether these are all 2ⁿ flips of n images.
        least: Least possible p; above 1 − `level` nothing can be certain.
        images: Number of images that a metric is tested on, for each metric.
    """

    transforms: tuple[str, ...]
    metrics: tuple[str, ...]
    order: Int64[np.ndarray, "metrics transforms transforms"]
    level: float
    resamples: int
    exact: bool
    least: float
    images: tuple[int, ...]

    def agreed(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs that all metrics put in one order, the closer transform first."""
        return self._name((self.order == 1).all(axis=0) & (len(self.metrics) > 0))

    def contradicted(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs that some metric certainly puts in one order, and another in the opposite one."""
        either = (self.order == 1).any(axis=0) & (self.order == -1).any(axis=0)
        return self._name(np.triu(either, 1))

    def find_sides(self, first: str, second: str, /) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the metrics by which one transform is certainly closer, and those by which the other is."""
        at = self.transforms.index(first), self.transforms.index(second)
        named = list(zip(self.metrics, self.order[:, at[0], at[1]].tolist(), strict=True))
        return tuple(name for name, way in named if way == 1), tuple(name for name, way in named if way == -1)

    def _name(self, taken: np.ndarray) -> tuple[tuple[str, str], ...]:
        return tuple((self.transforms[a], self.transforms[b]) for a, b in np.argwhere(taken).tolist())


def order_jointly(
    values: ImageValues,
    *,
    metrics: Sequence[MetricSpec],
    errors: Mapping[str, MetricError] | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> JointOrder:
    """Test every two transforms by every metric, at one joint level over all of them.

    Sign flips of paired differences, one flip an image for all metrics and transforms, adjusted by step-down
    max-T over metrics and pairs together. So the statement takes into account how metrics depend on each
    other, which dividing the level by their number does not. A metric is tested on the images that have all
    its values. Differences within rounding are certain in no direction.

    Args:
        values: One value per image, transform and metric.
        metrics: Specs of the metrics along the last axis, in order.
        errors: Errors of the metrics in the run's precision; differences up to these are rounding.
        level: Joint level.
        resamples: Number of random flips, 100 or more; up to 13 images take all flips.
        seed: Their seed.

    Raises:
        PlanError: If `resamples` or `level` are out of range.
    """
    check_joint(resamples=resamples, level=level)
    table = values.values.transpose(0, 2, 1)  # images metrics transforms
    means, images = _common_means(table)
    return decide_order(
        flip_sides(table, resamples=resamples, seed=seed),
        means=means,
        images=images,
        transforms=values.transforms,
        metrics=metrics,
        errors=errors,
        level=level,
    )


def check_joint(*, resamples: int, level: float) -> None:
    """Check the options of a joint test.

    Raises:
        PlanError: If `resamples` or `level` are out of range.
    """
    if resamples < 100:
        raise PlanError(f"resamples is {resamples}; expected 100 or more, e.g. {RESAMPLES}")
    if not 0 < level < 1:
        raise PlanError(f"level is {level}; expected a share above 0 and below 1, e.g. {LEVEL}")


def decide_order(
    test: FlipTest,
    *,
    means: Float64[np.ndarray, "metrics transforms"],
    images: Int64[np.ndarray, " metrics"],
    transforms: tuple[str, ...],
    metrics: Sequence[MetricSpec],
    errors: Mapping[str, MetricError] | None,
    level: float,
) -> JointOrder:
    """Return which orders are certain by a test of all metrics and pairs together.

    Args:
        test: The test, metrics by pairs of transforms.
        means: Means over the images that have all values of a metric.
        images: Number of these images.
        transforms: Names of the transforms.
        metrics: Specs of the metrics.
        errors: Errors of the metrics in the run's precision.
        level: Joint level.
    """
    count = len(transforms)
    first, second = np.triu_indices(count, 1)
    closer = np.array([1 if spec.direction is Direction.HIGHER else -1 for spec in metrics], np.int64)
    apart = (means[:, first] - means[:, second]) * closer[:, None]
    floors = _floors(means, [(errors or {}).get(spec.name) for spec in metrics])
    certain = (test.adjusted.reshape(apart.shape) <= 1 - level + 1e-12) & (np.abs(apart) > floors[:, None])
    way = np.where(certain, np.sign(apart), 0.0).astype(np.int64)
    order = np.zeros((len(metrics), count, count), np.int64)
    order[:, first, second], order[:, second, first] = way, -way
    return JointOrder(
        transforms=transforms,
        metrics=tuple(spec.name for spec in metrics),
        order=order,
        level=level,
        resamples=test.flips,
        exact=test.exact,
        least=test.least,
        images=tuple(images.tolist()),
    )


def _common_means(
    table: Float64[np.ndarray, "images metrics transforms"],
) -> tuple[Float64[np.ndarray, "metrics transforms"], Int64[np.ndarray, " metrics"]]:
    """Return means over the images that have all values of a metric, and the number of these images."""
    found, n = np.full(table.shape[1:], np.nan), np.zeros(table.shape[1], np.int64)
    for at in range(table.shape[1]):
        held = ~np.isnan(table[:, at]).all(axis=0)
        whole = ~np.isnan(table[:, at, held]).any(axis=1) & held.any()
        n[at] = whole.sum()
        if n[at]:
            found[at, held] = table[:, at][np.ix_(whole, held)].mean(axis=0)
    return found, n


def _floors(
    means: Float64[np.ndarray, "metrics transforms"], errors: Sequence[MetricError | None]
) -> Float64[np.ndarray, " metrics"]:
    """Return the differences, in each metric's unit, that the precision of the run could make."""
    size = np.where(np.isnan(means), 0.0, np.abs(means)).max(axis=1, initial=0.0)
    found = _FLOOR * size
    for at, error in enumerate(errors):
        if error is not None and not np.isnan(error.mean):
            found[at] = max(found[at], error.mean * (size[at] if error.relative else 1.0))
    return found
