"""Histograms on fixed grids, from which quantiles are read when not all values are held."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64

__all__ = ["BINS", "count_below", "count_values", "make_edges", "read_quantiles", "state_error"]

BINS = 4096
"""Bins of a grid; two more hold the values below and above it."""

_OCTAVES = 20
"""A grid without an end reaches from 2⁻²⁰ to 2²⁰ above its other end, in equal steps of the logarithm."""

Counts = Int64[np.ndarray, " bins"]
Edges = Float64[np.ndarray, " edges"]
Limits = Float64[np.ndarray, " bins"]


def make_edges(bounds: tuple[float, float], /) -> Edges:
    """Return the edges of the bins, ascending, for the bounds that a metric declares.

    Two finite bounds are divided evenly. From one finite bound the grid is logarithmic in the distance from
    it, and without any it is logarithmic in the size, on both sides of 0.

    Args:
        bounds: Least and greatest possible value, in the unit of the metric; either may be infinite.
    """
    low, high = bounds
    if np.isfinite(low) and np.isfinite(high):
        return np.linspace(low, high, BINS + 1)
    if np.isfinite(low):
        return low + _steps(BINS + 1)
    if np.isfinite(high):
        return high - _steps(BINS + 1)[::-1]
    half = _steps(BINS // 2)
    return np.concatenate([-half[::-1], [0.0], half])


def _steps(count: int) -> Float64[np.ndarray, " steps"]:
    return np.exp2(np.linspace(-_OCTAVES, _OCTAVES, count))


def state_error(bounds: tuple[float, float], /) -> tuple[float, bool]:
    """Return the greatest error of a quantile within the grid, and whether it is a share of the distance.

    The share is of the distance from the finite bound, or of the size where there is none. The width of a bin
    is the error: a quantile and what is read in its place lie in the same bin.
    """
    edges = make_edges(bounds)
    if np.isfinite(bounds[0]) and np.isfinite(bounds[1]):
        return float(edges[1] - edges[0]), False
    steps = _steps(BINS + 1 if np.isfinite(bounds[0]) or np.isfinite(bounds[1]) else BINS // 2)
    return float(steps[1] / steps[0] - 1), True


def count_values(values: Float64[np.ndarray, " values"], edges: Edges, /) -> Counts:
    """Count values in the bins: below the grid, in each of its bins, and from its upper end on.

    Args:
        values: Finite values.
        edges: Result of `make_edges`. A bin holds its lower edge, not its upper one.
    """
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def read_quantiles(
    counts: Counts, shares: Sequence[float], /, *, edges: Edges, ends: tuple[float, float]
) -> Float64[np.ndarray, " shares"]:
    """Read quantiles, by linear interpolation between the values on either side, as NumPy defines them.

    The values of a bin are taken to be spread evenly in it, so each is off by less than the bin's width.

    Args:
        counts: Result of `count_values`, or a sum of such results.
        shares: Shares of the values below the quantiles, from 0 to 1.
        edges: Edges of the grid.
        ends: Least and greatest value.

    Returns:
        NaN without a value.
    """
    n = int(counts.sum())
    if not n:
        return np.full(len(shares), np.nan)
    place = np.asarray(shares, np.float64) * (n - 1)
    below = np.floor(place).astype(np.int64)
    first, second = (
        _read_ordered(np.minimum(at, n - 1), counts, edges=edges, ends=ends) for at in (below, below + 1)
    )
    return first + (place - below) * (second - first)


def _read_ordered(
    ranks: Int64[np.ndarray, " ranks"], counts: Counts, *, edges: Edges, ends: tuple[float, float]
) -> Float64[np.ndarray, " ranks"]:
    """Return the values of some ranks, from 0; the least and the greatest are exact."""
    past = np.cumsum(counts)
    at = np.searchsorted(past, ranks, side="right")
    inside = (ranks - (past[at] - counts[at]) + 0.5) / counts[at]
    lower, upper = _limit_bins(edges, ends=ends)
    found = lower[at] + inside * (upper[at] - lower[at])
    return np.where(ranks == 0, ends[0], np.where(ranks == past[-1] - 1, ends[1], found))


def _limit_bins(edges: Edges, *, ends: tuple[float, float]) -> tuple[Limits, Limits]:
    """Return lower and upper limits of all bins, no wider than the values reach."""
    whole = np.clip(np.concatenate([[ends[0]], edges, [ends[1]]]), *ends)
    return whole[:-1], whole[1:]


def count_below(
    places: Float64[np.ndarray, " places"], counts: Counts, /, *, edges: Edges, ends: tuple[float, float]
) -> Int64[np.ndarray, " places"]:
    """Return how many values lie below each place; within a bin they are taken to be spread evenly.

    Args:
        places: Ascending, in the unit of the values.
        counts: Counts of the bins.
        edges: Edges of the grid.
        ends: Least and greatest value.
    """
    lower, upper = _limit_bins(edges, ends=ends)
    before = np.cumsum(counts) - counts
    kept = np.flatnonzero(counts)
    if not len(kept):
        return np.zeros(len(places), np.int64)
    at = kept[np.maximum(np.searchsorted(lower[kept], places, side="right") - 1, 0)]
    width = upper[at] - lower[at]
    share = np.divide(places - lower[at], width, out=np.zeros(len(places)), where=width > 0)
    return before[at] + np.rint(np.clip(share, 0, 1) * counts[at]).astype(np.int64)
