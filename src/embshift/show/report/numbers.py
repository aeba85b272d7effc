"""Numbers of the page: means with intervals, binned distributions, quantiles. None of them is per image."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from embshift.show.report.facts import Facts
from embshift.show.report.text import visible
from embshift.show.text.summary import short_name

__all__ = ["cells", "distributions", "metric_content", "overall", "rounded"]

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def rounded(value: float) -> float | None:
    """Six significant digits, which is more than is shown; None where undefined, which JSON can say."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def metric_content(facts: Facts) -> list[dict[str, Any]]:
    """How each metric states itself."""
    return [
        {
            "name": visible(spec.name),
            "short": visible(short_name(spec.name)).replace("_", " "),
            "summary": visible(spec.summary),
            "unit": "" if spec.unit == "1" else visible(spec.unit),
            "bounds": [rounded(bound) for bound in spec.bounds],
            "identity": rounded(spec.identity),
            "higher": str(spec.direction).startswith("higher"),
            "blind": visible(spec.blind_to),
            "performance": spec.performance,
            "reference": visible(spec.reference),
        }
        for spec in facts.metrics
    ]


def cells(facts: Facts) -> list[list[dict[str, Any]]]:
    """Transforms by metrics: mean, interval, deviation, count, undefined."""
    return [
        [_cell(facts, row, column) for column in range(len(facts.metrics))]
        for row in range(len(facts.transforms))
    ]


def _cell(facts: Facts, row: int, column: int) -> dict[str, Any]:
    means, summary = facts.statistics.means, facts.summary.rows[row].cells[facts.metrics[column].name]
    return {
        "mean": rounded(float(means.mean[row, column])),
        "low": rounded(float(means.low[row, column])),
        "high": rounded(float(means.high[row, column])),
        "deviation": rounded(summary.deviation),
        "n": summary.n,
        "undefined": int(facts.values.undefined[:, row, column].sum()),
    }


def overall(facts: Facts) -> list[dict[str, Any]]:
    """The overall score and rank of each transform, with their intervals."""
    found = facts.statistics.overall
    ranks = {one.transform: one for one in facts.statistics.ranks.intervals}
    return [
        {
            "mean": rounded(float(found.mean[row])),
            "low": rounded(float(found.low[row])),
            "high": rounded(float(found.high[row])),
            "rank": ranks[name].rank if name in ranks else None,
            "best": ranks[name].low if name in ranks else None,
            "worst": ranks[name].high if name in ranks else None,
        }
        for row, name in enumerate(facts.transforms)
    ]


def distributions(facts: Facts) -> list[dict[str, Any]]:
    """For each metric: common bins, how many images of each transform fall in each, and quantiles."""
    return [_binned(facts.values.values[:, :, at]) for at in range(len(facts.metrics))]


def _binned(values: Float64[np.ndarray, "images transforms"]) -> dict[str, Any]:
    columns = [column[np.isfinite(column)] for column in values.T]
    edges = _edges(columns)
    return {
        "edges": [rounded(edge) for edge in edges.tolist()],
        "counts": [np.histogram(column, edges)[0].tolist() if len(edges) else [] for column in columns],
        "quantiles": [
            [rounded(q) for q in np.quantile(column, _QUANTILES).tolist()] if len(column) else []
            for column in columns
        ],
    }


def _edges(columns: Sequence[Float64[np.ndarray, " _"]]) -> Float64[np.ndarray, " edges"]:
    """Bins over the range of all transforms, more of them where more images fill them."""
    ends = [(float(column.min()), float(column.max())) for column in columns if len(column)]
    if not ends:
        return np.empty(0)
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = max(abs(low), 1.0) * 1e-3
        low, high = low - room, high + room
    most = max(len(column) for column in columns)
    return np.linspace(low, high, int(np.clip(round(4 * most ** (1 / 3)), 8, 60)) + 1)
