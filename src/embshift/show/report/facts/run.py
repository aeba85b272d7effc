"""Facts: the statistics of a run that the report shows, each computed once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from embshift.analysis.of_run import analyse_separation
from embshift.analysis.parts.distributions import find_median
from embshift.analysis.parts.order import order_part_jointly
from embshift.analysis.parts.part import Part
from embshift.analysis.parts.reading import read_parts
from embshift.analysis.parts.statistics import compute_part_statistics, rank_by_metric
from embshift.analysis.parts.summary import summarise_part
from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.analysis.shifts.joint_order import JointOrder, order_jointly
from embshift.analysis.shifts.ranks import Ranks
from embshift.analysis.shifts.separation import Separation, compute_separation
from embshift.analysis.shifts.statistics import Statistics, compute_statistics
from embshift.analysis.shifts.table import Summary, summarise
from embshift.core.progress import OnStep, ignore_step
from embshift.core.types import Capture, MetricSpec
from embshift.runs.precision import read_precision_errors
from embshift.runs.tables import RunTables
from embshift.runs.values import ImageValues
from embshift.show.report.facts.common import CommonImages, find_common_part, rank_common_images
from embshift.show.report.facts.embeddings import MOST_IMAGES, EmbeddingFacts, measure_embeddings
from embshift.show.report.facts.large import separate_images
from embshift.show.report.facts.levels import LevelFacts, measure_levels
from embshift.show.report.parts.kept_views import find_kept_views

__all__ = ["Facts", "choose_resamples", "find_main_metric", "gather_facts"]

_MOST_RESAMPLED_IMAGES, _FEWEST_RESAMPLES = 200_000_000, 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """The numbers of a run.

    Attributes:
        transforms: Names, in the order of the plan.
        metrics: Definition of each metric.
        values: One value per image, transform and metric; of a run of many images, only of those that the
            page may show.
        summary: Means and deviations.
        statistics: Intervals of all means; ranks by the overall score.
        main: Ranks by the main metric (see `find_main_metric`); None without one.
        joint: By which metrics each transform is certainly closer than another, all together at `level`.
        common: Ranks by the overall score on the images where every transform has all its values; None where
            that is all images, or none.
        repeated: Number of usable inputs that equal an earlier one and count once.
        separation: Mean distance between different images.
        inputs: Number of inputs by status.
        views: Number of views tried, and of those that lack an embedding, or their original's.
        info: The content of ``run.json``.
        embeddings: Measurements of the embeddings; None if they were not taken.
        levels: Results over severities and at equal damage, if the run has them.
        part: Sums over all images of a run of many images; None where `values` holds all.
    """

    transforms: tuple[str, ...]
    metrics: tuple[MetricSpec, ...]
    values: ImageValues
    summary: Summary
    statistics: Statistics
    main: Ranks | None
    joint: JointOrder
    common: CommonImages | None
    repeated: int
    separation: Separation
    inputs: Mapping[str, int]
    views: tuple[int, int]
    info: Mapping[str, Any]
    embeddings: EmbeddingFacts | None = None
    levels: LevelFacts = field(default_factory=LevelFacts)
    part: Part | None = None

    @property
    def keeps_embeddings(self) -> bool:
        """Return whether the run keeps embeddings; `separation` is NaN where it does not."""
        return bool(self.info["plan"].get("keep_embeddings", True))

    @property
    def level(self) -> float:
        """Return the coverage of every interval."""
        return self.statistics.level

    @property
    def measured(self) -> int:
        """Return the number of images with at least one defined value."""
        if self.part is not None:
            return self.part.measured
        # One transform at a time: a copy of all values would take as much memory again.
        per = [~np.isnan(self.values.values[:, at]).all(axis=1) for at in range(len(self.transforms))]
        return int(np.logical_or.reduce(per).sum()) if per else 0

    @property
    def partly(self) -> int:
        """Return the number of values that are means over fewer draws, since other draws are undefined."""
        if self.part is not None:
            return self.part.partly
        return int(((self.values.undefined > 0) & ~np.isnan(self.values.values)).sum())

    def find_median(self, transform: int, metric: int) -> float:
        """Return the median of one transform and metric, by their positions; NaN without a value."""
        if self.part is not None:
            return find_median(self.part, transform, metric)
        column = self.values.values[:, transform, metric]
        defined = column[~np.isnan(column)]
        return float(np.median(defined)) if len(defined) else float("nan")


def choose_resamples(images: int) -> int:
    """Return the number of bootstrap resamples: 10,000, and fewer for many images, which need fewer."""
    return int(np.clip(_MOST_RESAMPLED_IMAGES // max(images, 1), _FEWEST_RESAMPLES, RESAMPLES))


def gather_facts(run: RunTables, *, resamples: int | None = None, on_step: OnStep = ignore_step) -> Facts:
    """Read a run's tables, one chunk at a time, and compute its statistics.

    Args:
        run: The run.
        resamples: Number of bootstrap resamples; `choose_resamples` decides if None.
        on_step: Receives each step as it begins.
    """
    on_step("values")
    large = run.count_images() > MOST_IMAGES
    find = _sum_shifts if large else _hold_shifts
    found = find(run, resamples=resamples, on_step=on_step)
    images = len(found.values.rows) if found.part is None else found.part.images
    return Facts(
        transforms=run.transforms,
        metrics=run.metrics,
        values=found.values,
        summary=found.summary,
        statistics=found.statistics,
        main=found.main,
        joint=found.joint,
        common=found.common,
        repeated=found.repeated,
        separation=found.separation,
        inputs=_count_inputs(run),
        views=run.count_views(),
        info=run.info,
        embeddings=measure_embeddings(run, images=images, on_step=on_step),
        levels=measure_levels(run, images=images, resamples=found.statistics.resamples, on_step=on_step),
        part=found.part,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shifts:
    """The facts that come from the shifts, as in `Facts`."""

    values: ImageValues
    summary: Summary
    statistics: Statistics
    main: Ranks | None
    joint: JointOrder
    common: CommonImages | None
    repeated: int
    separation: Separation
    part: Part | None = None


_UNKNOWN = compute_separation(np.empty((0, 1)))
"""The distance between images where no embedding is kept."""


def _hold_shifts(run: RunTables, *, resamples: int | None, on_step: OnStep) -> _Shifts:
    """Compute from all values."""
    values = run.values()
    resamples = choose_resamples(len(values.rows)) if resamples is None else resamples
    on_step("intervals and ranks")
    main = find_main_metric(run.metrics)
    errors = read_precision_errors(run.info)
    return _Shifts(
        values=values,
        summary=summarise(values, metrics=run.metrics, map_name=str(run.info["encoder"].get("map_name"))),
        statistics=compute_statistics(values, metrics=run.metrics, resamples=resamples),
        main=None if main is None else _rank_by(values, main, resamples=resamples),
        joint=order_jointly(values, metrics=run.metrics, errors=errors, resamples=resamples),
        common=rank_common_images(values, metrics=run.metrics, resamples=resamples),
        repeated=len(run.repeated_rows()),
        separation=analyse_separation(run) if run.keeps_embeddings else _UNKNOWN,
    )


def _sum_shifts(run: RunTables, *, resamples: int | None, on_step: OnStep) -> _Shifts:
    """Compute from sums, without holding all values."""
    skip = run.repeated_rows()
    part = read_parts(run, wanted=find_kept_views(run), skip=skip)
    resamples = RESAMPLES if resamples is None else resamples
    on_step("intervals and ranks")
    main = find_main_metric(run.metrics)
    errors = read_precision_errors(run.info)
    return _Shifts(
        values=part.kept.values,
        summary=summarise_part(part, map_name=str(run.info["encoder"].get("map_name"))),
        statistics=compute_part_statistics(part, resamples=resamples),
        main=None if main is None else rank_by_metric(part, main, resamples=resamples),
        joint=order_part_jointly(part, errors=errors, resamples=resamples),
        common=find_common_part(part, resamples=resamples),
        repeated=len(skip),
        separation=separate_images(run, skip=skip) if run.keeps_embeddings else _UNKNOWN,
        part=part,
    )


def _rank_by(values: ImageValues, spec: MetricSpec, *, resamples: int) -> Ranks:
    """Rank by one metric; resampling its column alone gives the same result as resampling all columns."""
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


def _count_inputs(run: RunTables) -> Mapping[str, int]:
    found = Counter[str]()
    for chunk in run.chunks("images", ["status"]):
        found.update(chunk["status"].to_pylist())
    return found


def find_main_metric(metrics: tuple[MetricSpec, ...]) -> MetricSpec | None:
    """Return the metric for how far embeddings move: the first that compares embeddings, or None."""
    return next((spec for spec in metrics if Capture.EMBEDDING in spec.needs), None)
