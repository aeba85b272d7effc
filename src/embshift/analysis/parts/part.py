"""One part of a run: everything that is summed over its images, and how two parts become one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from embshift.analysis.parts.grids import BINS, count_values, make_edges
from embshift.analysis.parts.groups import GroupSums, add_groups, sum_groups
from embshift.analysis.parts.kept import LAST, KeptImages, keep_images, merge_kept
from embshift.analysis.parts.moments import Moments, measure_moments, merge_moments
from embshift.analysis.parts.products import (
    Products,
    WholeSums,
    add_products,
    merge_sums,
    sum_products,
    sum_scores,
    sum_whole_images,
)
from embshift.core.types import MetricSpec
from embshift.runs.image_ids import Hashes
from embshift.runs.values import ImageValues

__all__ = ["Part", "find_centres", "measure_part", "merge_parts"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Sums over the images of a part; columns are transforms by metrics, metrics running fastest.

    Attributes:
        transforms: Names of the transforms.
        metrics: Specs of the metrics.
        images: Number of images with a recorded value; equal images count once.
        measured: Number of those with a defined value.
        partly: Number of defined values that are means over fewer draws, since other draws are undefined.
        undefined: Number of values of each column that were computed and are undefined.
        moments: Moments of each column.
        counts: Values of each column in the bins of its metric's grid.
        products: Sums of products of all columns.
        whole: The same over images that have all values of a metric: one set of columns for each metric.
        scores: Sums of overall scores over images that have all performance metrics of all transforms.
        complete: Number of images that have all performance metrics, by transform.
        groups: Sums over groups of images.
        kept: The few images whose values are kept.
    """

    transforms: tuple[str, ...]
    metrics: tuple[MetricSpec, ...]
    images: int
    measured: int
    partly: int
    undefined: Int64[np.ndarray, " columns"]
    moments: Moments
    counts: Int64[np.ndarray, "columns bins"]
    products: Products
    whole: WholeSums
    scores: WholeSums
    complete: Int64[np.ndarray, " transforms"]
    groups: GroupSums
    kept: KeptImages

    @property
    def shape(self) -> tuple[int, int]:
        """Number of transforms and of metrics."""
        return len(self.transforms), len(self.metrics)


def find_centres(metrics: Sequence[MetricSpec]) -> np.ndarray:
    """Return the value that distances of each metric are taken from: that at identity, or 0 without one."""
    return np.array([spec.identity if np.isfinite(spec.identity) else 0.0 for spec in metrics])


def measure_part(
    values: ImageValues,
    hashes: Hashes,
    *,
    metrics: Sequence[MetricSpec],
    wanted: Collection[int] = (),
    last: int = LAST,
) -> Part:
    """Sum over some images.

    Args:
        values: One value per image, transform and metric.
        hashes: Hash of the id of each image.
        metrics: Specs of the metrics along the last axis, in order.
        wanted: Rows whose values are kept in any case.
        last: As for `keep_images`.
    """
    images, transforms, count = values.values.shape
    flat = values.values.reshape(images, transforms * count)
    distances = values.values - find_centres(metrics)
    apart = distances.reshape(flat.shape)
    products = sum_products(apart)
    taken = np.array([spec.performance for spec in metrics], bool)
    scores = distances[:, :, taken].mean(axis=2) if taken.any() else np.full((images, transforms), np.nan)
    defined = ~np.isnan(values.values)
    return Part(
        transforms=values.transforms,
        metrics=tuple(metrics),
        images=images,
        measured=int(defined.any(axis=(1, 2)).sum()),
        partly=int((defined & (values.undefined > 0)).sum()),
        undefined=(values.recorded & ~defined).sum(axis=0).ravel(),
        moments=measure_moments(flat),
        counts=_count(flat, metrics=metrics),
        products=products,
        whole=sum_whole_images(apart, sets=np.tile(np.arange(count), transforms), products=products),
        scores=sum_scores(scores),
        complete=(~np.isnan(scores)).sum(axis=0),
        groups=sum_groups(apart, hashes=hashes),
        kept=keep_images(values, hashes, wanted=wanted, last=last),
    )


def _count(flat: np.ndarray, *, metrics: Sequence[MetricSpec]) -> Int64[np.ndarray, "columns bins"]:
    edges = [make_edges(spec.bounds) for spec in metrics]
    found = [
        count_values(column[np.isfinite(column)], edges[at % len(metrics)])
        for at, column in enumerate(np.ascontiguousarray(flat.T))
    ]
    return np.array(found, np.int64).reshape(flat.shape[1], BINS + 2)


def merge_parts(one: Part, other: Part, *, wanted: Collection[int] = ()) -> Part:
    """Merge two parts, the earlier one first.

    Args:
        one: A part.
        other: The part that follows it.
        wanted: Rows whose values are kept in any case.
    """
    return Part(
        transforms=one.transforms,
        metrics=one.metrics,
        images=one.images + other.images,
        measured=one.measured + other.measured,
        partly=one.partly + other.partly,
        undefined=one.undefined + other.undefined,
        moments=merge_moments(one.moments, other.moments),
        counts=one.counts + other.counts,
        products=add_products(one.products, other.products),
        whole=merge_sums(one.whole, other.whole),
        scores=merge_sums(one.scores, other.scores),
        complete=one.complete + other.complete,
        groups=add_groups(one.groups, other.groups),
        kept=merge_kept(one.kept, other.kept, wanted=wanted),
    )
