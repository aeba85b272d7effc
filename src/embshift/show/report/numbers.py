"""Numbers of the page: means with intervals, binned distributions, quantiles; none of them per image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from embshift.analysis.parts.distributions import Distribution, read_distributions
from embshift.analysis.parts.part import Part
from embshift.show.report.facts.run import Facts
from embshift.show.report.parts.rounding import round_value
from embshift.show.text.summary import short_name
from embshift.show.text.words import make_visible

__all__ = ["bin_values", "list_cells", "list_metrics", "list_overall"]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def list_metrics(facts: Facts) -> list[dict[str, Any]]:
    """Return the definition of each metric."""
    return [
        {
            "name": make_visible(spec.name),
            "short": make_visible(short_name(spec.name)).replace("_", " "),
            "summary": make_visible(spec.summary),
            "unit": "" if spec.unit == "1" else make_visible(spec.unit),
            "bounds": [round_value(bound) for bound in spec.bounds],
            "identity": round_value(spec.identity),
            "higher": str(spec.direction).startswith("higher"),
            "blind": make_visible(spec.blind_to),
            "performance": spec.performance,
            "reference": make_visible(spec.reference),
        }
        for spec in facts.metrics
    ]


def list_cells(facts: Facts) -> list[list[dict[str, Any]]]:
    """Return mean, interval, deviation and counts of each transform by metric."""
    return [
        [_cell(facts, row, column) for column in range(len(facts.metrics))]
        for row in range(len(facts.transforms))
    ]


def _cell(facts: Facts, row: int, column: int) -> dict[str, Any]:
    means, summary = facts.statistics.means, facts.summary.rows[row].cells[facts.metrics[column].name]
    return {
        "mean": round_value(float(means.mean[row, column])),
        "low": round_value(float(means.low[row, column])),
        "high": round_value(float(means.high[row, column])),
        "deviation": round_value(summary.deviation),
        "n": summary.n,
        "undefined": summary.undefined,
    }


def list_overall(facts: Facts) -> list[dict[str, Any]]:
    """Return the overall score and rank of each transform, with their intervals."""
    found = facts.statistics.overall
    ranks = {one.transform: one for one in facts.statistics.ranks.intervals}
    return [
        {
            "mean": round_value(float(found.mean[row])),
            "low": round_value(float(found.low[row])),
            "high": round_value(float(found.high[row])),
            "rank": ranks[name].rank if name in ranks else None,
            "best": ranks[name].low if name in ranks else None,
            "worst": ranks[name].high if name in ranks else None,
        }
        for row, name in enumerate(facts.transforms)
    ]


def bin_values(facts: Facts) -> list[dict[str, Any]]:
    """Return for each metric the common bins, and for each transform its counts per bin and quantiles."""
    if facts.part is not None:
        return [_bin_part(facts.part, at) for at in range(len(facts.metrics))]
    return [_bin(facts.values.values[:, :, at]) for at in range(len(facts.metrics))]


def _bin_part(part: Part, metric: int) -> dict[str, Any]:
    found = read_distributions(part, metric)
    edges = _edges([(one.ends, one.n) for one in found if one.n])
    return {
        "edges": [round_value(edge) for edge in edges.tolist()],
        "counts": [one.count_between(edges).tolist() for one in found],
        "quantiles": [_round_quantiles(one) for one in found],
    }


def _round_quantiles(found: Distribution) -> list[float | None]:
    return [round_value(q) for q in found.read_quantiles(_QUANTILES).tolist()] if found.n else []


def _bin(values: Float[np.ndarray, "images transforms"]) -> dict[str, Any]:
    columns = [column[np.isfinite(column)] for column in values.T]
    edges = _edges([((float(one.min()), float(one.max())), len(one)) for one in columns if len(one)])
    return {
        "edges": [round_value(edge) for edge in edges.tolist()],
        "counts": [np.histogram(column, edges)[0].tolist() if len(edges) else [] for column in columns],
        "quantiles": [
            [round_value(q) for q in np.quantile(column, _QUANTILES).tolist()] if len(column) else []
            for column in columns
        ],
    }


def _edges(columns: Sequence[tuple[tuple[float, float], int]]) -> Float64[np.ndarray, " edges"]:
    """Return edges of bins over the range of all transforms; more images get more bins.

    Args:
        columns: Least and greatest value, and number of values, of each transform that has any.
    """
    if not columns:
        return np.empty(0)
    low, high = min(ends[0] for ends, _ in columns), max(ends[1] for ends, _ in columns)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = max(abs(low), 1.0) * 1e-3
        low, high = low - room, high + room
    most = max(n for _, n in columns)
    return np.linspace(low, high, int(np.clip(round(4 * most ** (1 / 3)), 8, 60)) + 1)
