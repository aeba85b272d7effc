"""The ranking on the images that all transforms share, where some transforms lack values on some images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embshift.analysis.parts.order import count_lacking, rank_common_part
from embshift.analysis.parts.part import Part
from embshift.analysis.shifts.ranks import Ranks
from embshift.analysis.shifts.statistics import compute_statistics
from embshift.core.types import MetricSpec
from embshift.runs.values import ImageValues

__all__ = ["CommonImages", "find_common_part", "rank_common_images"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CommonImages:
    """Ranks by the overall score on common images.

    Attributes:
        images: Number of images on which every ranked transform has all its performance metrics.
        fewer: Number of images without them, by transform, of the transforms that lack some.
        ranks: The ranks.
    """

    images: int
    fewer: Mapping[str, int]
    ranks: Ranks


def rank_common_images(
    values: ImageValues, *, metrics: Sequence[MetricSpec], resamples: int
) -> CommonImages | None:
    """Rank transforms on the images where each has all its performance metrics.

    A transform without any such image is left out, since it has no overall score either.

    Args:
        values: One value per image, transform and metric.
        metrics: Specs of the metrics along the last axis, in order.
        resamples: Number of resamples of the images.

    Returns:
        The ranks; None where all images are common, or where none is.
    """
    taken = np.array([spec.performance for spec in metrics], bool)
    if not taken.any():
        return None
    # One metric at a time: a copy of all values would take as much memory again.
    held = [~np.isnan(values.values[:, :, at]) for at in np.flatnonzero(taken)]
    complete = np.asarray(np.logical_and.reduce(held))  # images transforms
    ranked = np.flatnonzero(complete.any(axis=0))
    rows = np.asarray(complete[:, ranked].all(axis=1))
    if rows.all() or not rows.any():
        return None
    part = np.ix_(rows, ranked)
    common = replace(
        values,
        rows=values.rows[rows],
        transforms=tuple(values.transforms[at] for at in ranked.tolist()),
        values=values.values[part],
        recorded=values.recorded[part],
        undefined=values.undefined[part],
    )
    lacking = (~complete).sum(axis=0)
    return CommonImages(
        images=int(rows.sum()),
        fewer={values.transforms[at]: int(lacking[at]) for at in ranked.tolist() if lacking[at]},
        ranks=compute_statistics(common, metrics=metrics, resamples=resamples).ranks,
    )


def find_common_part(part: Part, *, resamples: int) -> CommonImages | None:
    """Rank transforms as `rank_common_images` does, from sums over all images.

    Args:
        part: The sums of a run.
        resamples: Number of draws in place of resamples.
    """
    found = rank_common_part(part, resamples=resamples)
    if found is None:
        return None
    return CommonImages(images=found[0], fewer=count_lacking(part), ranks=found[1])
