"""What the report's sentences are made from: a run's statistics, each taken once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from embshift.analysis.of_run import analyse_separation
from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.analysis.shifts.ranks import Ranks
from embshift.analysis.shifts.separation import Separation
from embshift.analysis.shifts.statistics import Statistics, compute_statistics
from embshift.analysis.shifts.table import Summary, summarise
from embshift.core.types import Capture, MetricSpec
from embshift.runs.tables import RunTables
from embshift.runs.values import ImageValues
from embshift.show.report.beyond import Beyond, measure_beyond
from embshift.show.report.levels import Levels, measure_levels

__all__ = ["Facts", "gather", "main_metric", "resamples_for"]

_DRAWN, _FEWEST = 200_000_000, 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """A run in numbers.

    Attributes:
        transforms: Names, in the order of the plan.
        metrics: How each metric states itself.
        values: One value an image, transform and metric.
        summary: Means and deviations.
        statistics: Intervals of all means; ranks by the overall score.
        orders: Ranks by each metric.
        separation: How far different pictures are apart.
        inputs: Number of inputs by status.
        views: Views that were tried, and those of them without an embedding.
        info: The content of ``run.json``.
        beyond: What the shifts amount to; None where it was not measured.
        levels: Severities and equal damage, where the run is about them.
    """

    transforms: tuple[str, ...]
    metrics: tuple[MetricSpec, ...]
    values: ImageValues
    summary: Summary
    statistics: Statistics
    orders: Mapping[str, Ranks]
    separation: Separation
    inputs: Mapping[str, int]
    views: tuple[int, int]
    info: Mapping[str, Any]
    beyond: Beyond | None = None
    levels: Levels = field(default_factory=Levels)

    @property
    def level(self) -> float:
        """Coverage of every interval."""
        return self.statistics.level

    @property
    def measured(self) -> int:
        """Pictures with any defined value."""
        # Transform by transform: a copy of all values would take as much memory again.
        per = [~np.isnan(self.values.values[:, at]).all(axis=1) for at in range(len(self.transforms))]
        return int(np.logical_or.reduce(per).sum()) if per else 0


def resamples_for(images: int) -> int:
    """Resamples of the bootstrap: 10,000, and fewer for very many images, whose intervals need fewer."""
    return int(np.clip(_DRAWN // max(images, 1), _FEWEST, RESAMPLES))


def gather(run: RunTables, *, resamples: int | None = None) -> Facts:
    """Read a run's tables, chunk by chunk, and take its statistics.

    Args:
        run: The run.
        resamples: Resamples of the bootstrap; `resamples_for` the run's images where None.
    """
    values = run.values()
    resamples = resamples_for(len(values.rows)) if resamples is None else resamples
    return Facts(
        transforms=run.transforms,
        metrics=run.metrics,
        values=values,
        summary=summarise(values, metrics=run.metrics, map_name=str(run.info["encoder"].get("map_name"))),
        statistics=compute_statistics(values, metrics=run.metrics, resamples=resamples),
        orders={spec.name: _order(values, spec, resamples=resamples) for spec in run.metrics},
        separation=analyse_separation(run),
        inputs=_inputs(run),
        views=run.count_views(),
        info=run.info,
        beyond=measure_beyond(run, images=len(values.rows)),
        levels=measure_levels(run, images=len(values.rows), resamples=resamples),
    )


def _order(values: ImageValues, spec: MetricSpec, *, resamples: int) -> Ranks:
    """Ranks by one metric: its column alone is resampled, and gives what all columns together would."""
    at = values.metrics.index(spec.name)
    column = (slice(None), slice(None), slice(at, at + 1))
    alone = replace(
        values,
        metrics=(spec.name,),
        values=values.values[column],
        recorded=values.recorded[column],
        undefined=values.undefined[column],
    )
    return compute_statistics(alone, metrics=[spec], by=spec.name, resamples=resamples).ranks


def _inputs(run: RunTables) -> Mapping[str, int]:
    found = Counter[str]()
    for file in run.files("images"):
        found.update(pq.read_table(file, columns=["status"])["status"].to_pylist())
    return found


def main_metric(metrics: tuple[MetricSpec, ...]) -> MetricSpec | None:
    """The metric that stands for how far an embedding moves: the first that compares embeddings."""
    return next((spec for spec in metrics if Capture.EMBEDDING in spec.needs), None)
