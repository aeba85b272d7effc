"""Distributions of columns, read from the counts of their grids."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.parts.grids import BINS, count_below, make_edges, read_quantiles, state_error
from embshift.analysis.parts.part import Part
from embshift.core.types import MetricSpec

__all__ = ["Distribution", "describe_error", "find_median", "read_distributions"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distribution:
    """The finite values of one transform and metric, as counts.

    Attributes:
        counts: Values in each bin of the metric's grid.
        edges: Edges of the grid, in the metric's unit.
        ends: Least and greatest value.
        n: Number of values.
    """

    counts: Int64[np.ndarray, " bins"]
    edges: Float64[np.ndarray, " edges"]
    ends: tuple[float, float]
    n: int

    def read_quantiles(self, shares: Sequence[float]) -> Float64[np.ndarray, " shares"]:
        """Return quantiles; NaN without a value."""
        return read_quantiles(self.counts, shares, edges=self.edges, ends=self.ends)

    def count_between(self, places: Float64[np.ndarray, " places"]) -> Int64[np.ndarray, " between"]:
        """Return how many values lie between neighbours of ascending places that enclose all values."""
        below = count_below(places, self.counts, edges=self.edges, ends=self.ends)
        if len(below):
            below[0], below[-1] = 0, self.n  # the greatest value belongs to the last bin
        return np.diff(below)


def read_distributions(part: Part, metric: int, /) -> list[Distribution]:
    """Return the distribution of each transform by one metric, by its position."""
    edges = make_edges(part.metrics[metric].bounds)
    found = list[Distribution]()
    for at in range(len(part.transforms)):
        column = at * len(part.metrics) + metric
        counts = part.counts[column]
        ends = float(part.moments.low[column]), float(part.moments.high[column])
        found.append(Distribution(counts=counts, edges=edges, ends=ends, n=int(counts.sum())))
    return found


def find_median(part: Part, transform: int, metric: int, /) -> float:
    """Return the median of one transform and metric, by their positions; NaN without a value."""
    return float(read_distributions(part, metric)[transform].read_quantiles([0.5])[0])


def describe_error(metrics: Sequence[MetricSpec], /) -> str:
    """Say in one line how far quantiles may be off, for each kind of grid that the metrics have."""
    told = dict[str, list[str]]()
    for spec in metrics:
        error, relative = state_error(spec.bounds)
        text = f"{100 * error:.2g} % of its value" if relative else f"{error:.2g}"
        told.setdefault(text, []).append(spec.name)
    errors = "; ".join(f"{text} ({', '.join(names)})" for text, names in told.items())
    return f"quantiles and distributions from histograms of {BINS:,} bins: error at most {errors}"
