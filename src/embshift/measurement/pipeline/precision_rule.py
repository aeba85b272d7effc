"""Precision rule: how far values lie from those in float32, and which precision qualifies."""

import math
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from embshift.core.types import Capture
from embshift.metrics import Metric
from embshift.runs.precision import MetricError

__all__ = ["COSINE_ERROR", "SHIFT_SHARE", "Key", "Values", "disqualify", "measure_error"]

COSINE_ERROR = 1e-4
"""Greatest mean error of cosine at which a precision qualifies."""

SHIFT_SHARE = 0.05
"""Greatest mean error of a metric on embeddings, as a share of the least-shifting transform's mean shift."""

_NOTHING = 1e-12  # a mean shift below this is rounding: the transform shifts nothing

Key: TypeAlias = tuple[int, str, int]
"""Row of the listing, transform, draw."""

Values: TypeAlias = Mapping[str, Mapping[Key, float]]
"""Value of every view, by metric."""


def measure_error(truth: Mapping[Key, float], found: Mapping[Key, float], metric: Metric) -> MetricError:
    """Compute how far one metric's values lie from those in float32.

    Args:
        truth: Values in float32, by row, transform and draw.
        found: Values in the other precision, likewise.
        metric: The metric; its errors are relative where it has a unit of its own.
    """
    wanted, differences = _compare(truth, found)
    relative = metric.spec.unit != "1"
    undefined = int(np.isnan(differences).sum())
    kept = ~np.isnan(differences) & ((wanted != 0) | (not relative))
    errors = differences[kept] / (np.abs(wanted[kept]) if relative else 1)
    n = len(errors)
    mean, most = (float(errors.mean()), float(errors.max())) if n else (math.nan, math.nan)
    return MetricError(mean=mean, max=most, relative=relative, n=n, undefined=undefined)


def _compare(truth: Mapping[Key, float], found: Mapping[Key, float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the defined values in float32, and the absolute errors of the others; NaN where undefined."""
    keys = [key for key, value in truth.items() if not math.isnan(value)]
    wanted = np.array([truth[key] for key in keys], dtype=np.float64)
    other = np.array([found.get(key, math.nan) for key in keys], dtype=np.float64)
    return wanted, np.abs(other - wanted)


def disqualify(truth: Values, found: Values, /, *, metrics: Mapping[str, Metric]) -> str:
    """Return why a precision does not qualify; empty where it does.

    It qualifies with a mean error of cosine of at most `COSINE_ERROR`, and a mean error of every metric on
    embeddings of at most `SHIFT_SHARE` of the mean shift of the least-shifting transform. A transform that
    shifts nothing is left out. A value that is defined in float32 alone disqualifies.

    Args:
        truth: Values in float32 by metric, and by row, transform and draw.
        found: Values in the other precision, likewise.
        metrics: The metrics by name, cosine among them.
    """
    for name, metric in metrics.items():
        if metric.spec.needs != Capture.EMBEDDING:
            continue
        _, differences = _compare(truth[name], found[name])
        error = float(differences.mean()) if len(differences) else math.nan
        bound = SHIFT_SHARE * _find_least_shift(truth[name], identity=metric.spec.identity)
        bound = min(bound, COSINE_ERROR) if name == "cosine" else bound
        if not error <= bound:
            return f"mean error of {name} {error:.1e}, more than {bound:.1e}"
    return ""


def _find_least_shift(values: Mapping[Key, float], *, identity: float) -> float:
    """Return the least mean shift of the transforms that shift at all; infinite where none does."""
    shifts: dict[str, list[float]] = {}
    for (_, transform, _), value in values.items():
        if not math.isnan(value):
            shifts.setdefault(transform, []).append(abs(value - identity))
    means = [float(np.mean(each)) for each in shifts.values()]
    return min((mean for mean in means if mean > _NOTHING), default=math.inf)
