"""Results of measurements on a run's embeddings: tables of values with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from embshift.analysis.embeddings.catalogue import CROWDED, PROPORTIONS
from embshift.analysis.sampling.bootstrap import (
    LEVEL,
    RESAMPLES,
    Intervals,
    bca,
    influence,
    means,
    resampled_means,
)
from embshift.analysis.sampling.shares import replace_shares
from embshift.core.errors import PlanError
from embshift.core.named import find_position
from embshift.core.records import Record, to_pandas, write_html
from embshift.core.types import Measure

__all__ = [
    "Measured",
    "check_sampling",
    "join_columns",
    "mean_of_images",
    "reshape_intervals",
    "without_intervals",
]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """A table of transforms by measures.

    Attributes:
        name: What was measured: "calibration", "retrieval", "direction" or "structure".
        measures: The declared properties of each column, in order.
        transforms: Names of the rows, in the order of the plan.
        estimates: Values with their intervals, (transforms, measures), each in its measure's unit; ends are
            NaN for a value without an interval.
        undefined: Number of images whose value was computed and is undefined, of every transform and measure.
        images: Number of different images with a usable embedding.
        left_out: Number of images left out since their embedding is all zeros or not finite.
        notes: Caveats and context for the reader of the numbers.
        level: Coverage of each interval.
    """

    name: str
    measures: tuple[Measure, ...]
    transforms: tuple[str, ...]
    estimates: Intervals
    undefined: Int64[np.ndarray, "transforms measures"]
    images: int
    left_out: int
    notes: tuple[str, ...]
    level: float

    def column(self, measure: str) -> int:
        """Return the position of a measure along the second axis.

        Raises:
            UnknownNameError: If it is not there; the nearest names are suggested.
        """
        return find_position([one.name for one in self.measures], measure, kind="measure")

    def mean(self, transform: str, measure: str) -> float:
        """Return one value.

        Raises:
            UnknownNameError: If there is no such transform or measure.
        """
        return float(self.estimates.mean[self._place(transform, measure)])

    def interval(self, transform: str, measure: str) -> tuple[float, float]:
        """Return the ends of one interval; NaN if the value has none.

        Raises:
            UnknownNameError: If there is no such transform or measure.
        """
        at = self._place(transform, measure)
        return float(self.estimates.low[at]), float(self.estimates.high[at])

    def count(self, transform: str, measure: str) -> int:
        """Return the number of images behind one value.

        Raises:
            UnknownNameError: If there is no such transform or measure.
        """
        return int(self.estimates.n[self._place(transform, measure)])

    def _place(self, transform: str, measure: str) -> tuple[int, int]:
        return find_position(self.transforms, transform, kind="transform"), self.column(measure)

    def noted(self, *notes: str) -> "Measured":
        """Return a copy with further notes."""
        return replace(self, notes=(*self.notes, *notes))

    def records(self) -> list[Record]:
        """Return one row for each transform: each measure with its interval and number of images."""
        names = [measure.name for measure in self.measures]
        return [
            {"transform": transform} | self.estimates.record(at, names=names)
            for at, transform in enumerate(self.transforms)
        ]

    to_pandas = to_pandas
    _repr_html_ = write_html


def check_sampling(*, resamples: int, level: float) -> None:
    """Raise `PlanError` if the number of resamples or the coverage is out of range."""
    if resamples < 100:
        raise PlanError(f"resamples is {resamples}; expected 100 or more, e.g. {RESAMPLES}")
    if not 0 < level < 1:
        raise PlanError(f"level is {level}; expected a share above 0 and below 1, e.g. {LEVEL}")


def mean_of_images(
    values: Sequence[Mapping[str, Float64[np.ndarray, " images"]]],
    *,
    measures: Sequence[Measure],
    recorded: Bool[np.ndarray, "transforms images"],
    draws: Sequence[int],
    resamples: int,
    level: float,
    seed: int,
) -> tuple[Intervals, Int64[np.ndarray, "transforms measures"]]:
    """Compute means over images with their intervals, and count undefined values.

    Images are resampled together for all transforms and measures, so that comparisons are paired. Intervals
    are BCa for means and Wilson's for proportions; see `replace_shares`.

    Args:
        values: For each transform the values of every measure; NaN where undefined or not taken.
        measures: The measures, in order.
        recorded: Whether an image has a view of a transform at all.
        draws: For each transform the number of all its views.
        resamples: Number of resamples.
        level: Coverage.
        seed: Seed of the resamples.
    """
    shape = (len(values), len(measures))
    columns = [one[measure.name] for one in values for measure in measures]
    table = np.stack(columns, axis=1) if columns else np.empty((recorded.shape[1], 0))
    found = bca(
        resampled_means(table, resamples=resamples, seed=seed),
        mean=means(table),
        pulls=influence(table),
        n=(~np.isnan(table)).sum(axis=0),
        level=level,
    )
    found = replace_shares(
        found,
        table,
        bounds=[measure.bounds for _ in values for measure in measures],
        proportions=[measure.name in PROPORTIONS for _ in values for measure in measures],
        crowded=[measure.name in CROWDED for _ in values for measure in measures],
        draws=[views for views in draws for _ in measures],
        level=level,
    )
    undefined = recorded.sum(axis=1)[:, None] - found.n.reshape(shape)
    found = reshape_intervals(found, shape)
    return replace(
        found, low=_within(found.low, found, measures), high=_within(found.high, found, measures)
    ), undefined


def _within(
    ends: Float64[np.ndarray, "transforms measures"], found: Intervals, measures: Sequence[Measure]
) -> Float64[np.ndarray, "transforms measures"]:
    """Remove rounding from ends of intervals: clip them to the bounds, and set tiny values to 0."""
    low, high = (np.array([one.bounds[side] for one in measures]) for side in (0, 1))
    settled = np.where(np.abs(ends) <= 1e-12 * np.abs(found.mean), 0.0, ends)
    return np.clip(settled, low, high)


def reshape_intervals(found: Intervals, shape: tuple[int, int]) -> Intervals:
    """Reshape a row of intervals into a table."""
    return Intervals(
        mean=found.mean.reshape(shape),
        low=found.low.reshape(shape),
        high=found.high.reshape(shape),
        n=found.n.reshape(shape),
        plain=found.plain.reshape(shape),
    )


def without_intervals(
    values: Float64[np.ndarray, "transforms measures"], n: Int64[np.ndarray, "transforms measures"]
) -> Intervals:
    """Wrap values that describe all images at once and have no interval."""
    none = np.full(values.shape, np.nan)
    return Intervals(mean=values, low=none, high=none.copy(), n=n, plain=np.zeros(values.shape, bool))


def join_columns(first: Intervals, second: Intervals) -> Intervals:
    """Join two tables of the same transforms, side by side."""
    return Intervals(
        mean=np.concatenate([first.mean, second.mean], axis=1),
        low=np.concatenate([first.low, second.low], axis=1),
        high=np.concatenate([first.high, second.high], axis=1),
        n=np.concatenate([first.n, second.n], axis=1),
        plain=np.concatenate([first.plain, second.plain], axis=1),
    )
