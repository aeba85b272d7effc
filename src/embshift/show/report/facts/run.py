"""Facts: the statistics of a run that the report shows, each computed once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from embshift.analysis.of_run import analyse_separation
from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.analysis.shifts.joint_order import JointOrder, order_jointly
from embshift.analysis.shifts.ranks import Ranks
from embshift.analysis.shifts.separation import Separation
from embshift.analysis.shifts.statistics import Statistics, compute_statistics
from embshift.analysis.shifts.table import Summary, summarise
from embshift.core.progress import OnStep, ignore_step
from embshift.core.types import Capture, MetricSpec
from embshift.runs.precision import read_precision_errors
from embshift.runs.tables import RunTables
from embshift.runs.values import ImageValues
from embshift.show.report.facts.common import CommonImages, rank_common_images
from embshift.show.report.facts.embeddings import MOST_IMAGES, EmbeddingFacts, measure_embeddings
from embshift.show.report.facts.large import group_images, read_values, restore_means, separate_images
from embshift.show.report.facts.levels import LevelFacts, measure_levels

__all__ = ["Facts", "choose_resamples", "find_main_metric", "gather_facts"]

_MOST_RESAMPLED_IMAGES, _FEWEST_RESAMPLES = 200_000_000, 1_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """The numbers of a run.

    Attributes:
        transforms: Names, in the order of the plan.
        metrics: Definition of each metric.
        values: One value per image, transform and metric.
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

    @property
    def level(self) -> float:
        """Return the coverage of every interval."""
        return self.statistics.level

    @property
    def measured(self) -> int:
        """Return the number of images with at least one defined value."""
        # One transform at a time: a copy of all values would take as much memory again.
        per = [~np.isnan(self.values.values[:, at]).all(axis=1) for at in range(len(self.transforms))]
        return int(np.logical_or.reduce(per).sum()) if per else 0


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
    images = run.count_images()
    large = images > MOST_IMAGES
    values = read_values(run, images=images) if large else run.values()
    units = group_images(values) if large else values
    resamples = choose_resamples(len(values.rows)) if resamples is None else resamples
    on_step("intervals and ranks")
    main = find_main_metric(run.metrics)
    errors = read_precision_errors(run.info)
    statistics = compute_statistics(units, metrics=run.metrics, resamples=resamples)
    return Facts(
        transforms=run.transforms,
        metrics=run.metrics,
        values=values,
        summary=summarise(values, metrics=run.metrics, map_name=str(run.info["encoder"].get("map_name"))),
        statistics=restore_means(statistics, values) if large else statistics,
        main=None if main is None else _rank_by(units, main, resamples=resamples),
        joint=order_jointly(units, metrics=run.metrics, errors=errors, resamples=resamples),
        common=rank_common_images(values, metrics=run.metrics, resamples=resamples, grouped=large),
        repeated=len(run.repeated()),
        separation=separate_images(run) if large else analyse_separation(run),
        inputs=_count_inputs(run),
        views=run.count_views(),
        info=run.info,
        embeddings=measure_embeddings(run, images=len(values.rows), on_step=on_step),
        levels=measure_levels(run, images=len(values.rows), resamples=resamples, on_step=on_step),
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
