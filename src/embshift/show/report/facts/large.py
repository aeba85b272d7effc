"""Statistics of runs with many images: from sums over random groups of images, and chunk by chunk."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Float, Float64, Int64

from embshift.analysis.sampling.bootstrap import FEWEST, Intervals
from embshift.analysis.shifts.separation import ALL_PAIRS, Separation, compute_separation
from embshift.analysis.shifts.statistics import Statistics
from embshift.core.types import ORIGINAL
from embshift.runs.arrow import as_array
from embshift.runs.tables import RunTables, to_matrix
from embshift.runs.values import ImageValues

__all__ = ["GROUPS", "group_images", "read_values", "restore_means", "separate_images"]

GROUPS = 20_000
"""Number of random groups of images that are resampled in place of the images."""


def read_values(run: RunTables, *, images: int) -> ImageValues:
    """Return the values of a run as `RunTables.values` does, in float32 and without a second copy.

    Args:
        run: The run.
        images: Number of its committed images, or more.
    """
    shape = (images, len(run.transforms), len(run.metrics))
    rows, values = np.empty(images, np.int64), np.empty(shape, np.float32)
    recorded, undefined = np.empty(shape, bool), np.empty(shape, np.uint8)
    skip, size = run.repeated(), 0
    for name in run.chunk_names():
        found = run.values_of(name, skip=skip)
        part = slice(size, size + len(found.rows))
        rows[part], values[part], recorded[part] = found.rows, found.values, found.recorded
        undefined[part] = np.minimum(found.undefined, np.iinfo(np.uint8).max)
        size += len(found.rows)
    return ImageValues(
        rows=rows[:size],
        transforms=run.transforms,
        metrics=tuple(spec.name for spec in run.metrics),
        values=values[:size],
        recorded=recorded[:size],
        undefined=undefined[:size],
    )


def group_images(values: ImageValues, *, groups: int = GROUPS, seed: int = 0) -> ImageValues:
    """Return one value per random group, transform and metric, with the means of all images.

    For a group g with n_g defined values out of N in G groups, y_g = m + (Σx − n_g m) G / N, where m is the
    mean of all. The mean of y is m, and resampling groups spreads it as resampling images does: sums of
    squares and cubes over groups are those over images, up to chance. A column with fewer than ten values is
    left undefined, since it has no interval.

    Args:
        values: One value per image, transform and metric.
        groups: Number of groups.
        seed: Seed of the groups.
    """
    images, *shape = values.values.shape
    groups = min(groups, images)
    group = np.random.default_rng(seed).permutation(images) % groups
    found = np.empty((groups, *shape))
    for at in np.ndindex(*shape):
        found[:, *at] = _group(values.values[:, *at], group, groups=groups)
    return replace(
        values,
        rows=np.arange(groups),
        values=found,
        recorded=~np.isnan(found),
        undefined=np.zeros(found.shape, np.int64),
    )


def _group(
    column: Float[np.ndarray, " images"], group: Int64[np.ndarray, " images"], *, groups: int
) -> Float64[np.ndarray, " groups"]:
    defined = ~np.isnan(column)
    total = int(defined.sum())
    if total < FEWEST:
        return np.full(groups, np.nan)
    mean = float(column[defined].mean(dtype=np.float64))
    apart = np.where(defined, column - mean, 0.0)
    return mean + np.bincount(group, apart, groups) * (groups / total)


def restore_means(found: Statistics, values: ImageValues) -> Statistics:
    """Return statistics of groups with the number of images behind each mean, and the means of few images."""
    n = (~np.isnan(values.values)).sum(axis=0)
    few = n < FEWEST
    total = np.where(np.isnan(values.values), 0.0, values.values).sum(axis=0, dtype=np.float64)
    mean = np.divide(total, n, out=np.full(n.shape, np.nan), where=n > 0)
    means = replace(found.means, n=n, mean=np.where(few, mean, found.means.mean))
    overall: Intervals = replace(found.overall, n=np.full(found.overall.n.shape, n.max(initial=0)))
    return replace(found, means=means, overall=overall)


def separate_images(run: RunTables, *, seed: int = 0) -> Separation:
    """Return the mean distance between different images, one chunk of originals at a time.

    Args:
        run: The run.
        seed: Seed of the sample that the mean L2 distance is over.
    """
    rng, sample, keys = np.random.default_rng(seed), list[np.ndarray](), list[np.ndarray]()
    total, squares, n, left_out = np.zeros(0), 0.0, 0, 0
    for vectors in _read_originals(run):
        norms = np.linalg.norm(vectors, axis=1)
        usable = np.isfinite(norms) & (norms > 0)
        units = vectors[usable] / norms[usable, None]
        total = units.sum(axis=0) + (total if total.size else 0.0)
        squares, n = squares + float((units**2).sum()), n + len(units)
        left_out += int((~usable).sum())
        keys.append(rng.random(len(units)))
        sample.append(vectors[usable])
        _keep_least(keys, sample)
    few = compute_separation(np.concatenate(sample) if sample else np.empty((0, 1)), seed=seed)
    cosine = 1 - (float((total**2).sum()) - squares) / (n * (n - 1)) if n > 1 else float("nan")
    pairs = n * (n - 1) // 2
    return replace(few, cosine=cosine, cosine_pairs=pairs, images=n, left_out=left_out)


def _keep_least(keys: list[np.ndarray], sample: list[np.ndarray]) -> None:
    """Keep the vectors with the least random keys, as many as all pairs are taken of."""
    key, vectors = np.concatenate(keys), np.concatenate(sample)
    kept = np.sort(np.argsort(key, kind="stable")[:ALL_PAIRS])
    keys[:], sample[:] = [key[kept]], [vectors[kept]]


def _read_originals(run: RunTables) -> Iterator[Float64[np.ndarray, "images dim"]]:
    skip = list(run.repeated())
    for chunk in run.chunks("embeddings", ["row", "transform", "status", "embedding"]):
        kept = chunk.filter((pc.field("transform") == ORIGINAL) & (pc.field("status") == "ok"))
        fresh = ~np.isin(as_array(kept["row"]), skip)
        yield to_matrix(kept["embedding"])[fresh].astype(np.float64)
