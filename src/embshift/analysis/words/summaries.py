"""Means over images of what labels and captions say, with intervals."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

from embshift.analysis.sampling.bootstrap import Intervals, bca, influence, means, resampled_means
from embshift.analysis.sampling.shares import replace_shares
from embshift.core.errors import PlanError

__all__ = ["BLOCK", "average_draws", "flatten_draws", "summarise"]

BLOCK = 1 << 22
"""Numbers held at once: 32 MiB as float64."""

_UNIT = 1e-3
"""Greatest difference from 1 of the length of an embedding of length 1."""


def flatten_draws(
    clean: Float64[np.ndarray, "_images _dim"],
    views: Float64[np.ndarray, "..."],
    texts: Float64[np.ndarray, "_texts _dim"],
) -> Float64[np.ndarray, "images draws dim"]:
    """Return views with all axes of draws made one, checked to fit the originals and the texts.

    Raises:
        PlanError: If sizes do not fit, or an embedding that is not NaN does not have length 1.
    """
    images, dim = clean.shape
    if views.ndim < 2 or (views.shape[0], views.shape[-1], texts.shape[-1]) != (images, dim, dim):
        raise PlanError(
            f"originals have the shape {clean.shape}, views {views.shape}, texts {texts.shape}; expected "
            "(images, dim), (images, draws, dim) and (texts, dim) of one encoder"
        )
    draws = int(np.prod(views.shape[1:-1]))
    found = np.asarray(views, np.float64).reshape(images, draws, dim)
    for what, vectors in (("an original", clean), ("a view", found)):
        lengths = np.linalg.norm(vectors, axis=-1)
        wrong = lengths[np.abs(lengths - 1) > _UNIT]  # NaN, a missing one, compares as false
        if len(wrong):
            raise PlanError(f"the embedding of {what} has the length {wrong[0]:.4g}; expected 1")
    return found


def average_draws(values: Float64[np.ndarray, "images draws"]) -> Float64[np.ndarray, " images"]:
    """Return the mean of each image over its defined draws; NaN without any."""
    known = ~np.isnan(values)
    totals, n = np.where(known, values, 0.0).sum(axis=1), known.sum(axis=1)
    return np.divide(totals, n, out=np.full(len(values), np.nan), where=n > 0)


def summarise(
    columns: Mapping[str, Float64[np.ndarray, "images _"]],
    *,
    bounds: Mapping[str, tuple[float, float]],
    proportions: frozenset[str],
    crowded: frozenset[str],
    resamples: int,
    level: float,
    seed: int,
) -> Intervals:
    """Compute means over images, each the mean of its draws, with intervals.

    They are Wilson's for proportions and BCa for other means; see `replace_shares`.

    Args:
        columns: For each measure the values of every view; NaN where undefined.
        bounds: Least and greatest possible value of each measure.
        proportions: Measures that are proportions.
        crowded: Measures whose values crowd at a bound.
        resamples: Number of resamples of the images.
        level: Coverage.
        seed: Seed of the resamples.
    """
    table = np.stack([average_draws(values) for values in columns.values()], axis=1)
    found = bca(
        resampled_means(table, resamples=resamples, seed=seed),
        mean=means(table),
        pulls=influence(table),
        n=(~np.isnan(table)).sum(axis=0),
        level=level,
    )
    return replace_shares(
        found,
        table,
        bounds=[bounds[name] for name in columns],
        proportions=[name in proportions for name in columns],
        crowded=[name in crowded for name in columns],
        draws=[int((~np.isnan(values)).sum()) for values in columns.values()],
        level=level,
    )
