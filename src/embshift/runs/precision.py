"""Errors of a run's metrics in a precision other than float32, measured on the first chunk."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["MetricError", "format_precision", "read_precision_errors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricError:
    """Deviation of a metric from its values in float32, over the views of the first chunk.

    Attributes:
        mean: Mean error, 0 or more: in the metric's unit, or as a fraction of the float32 value. NaN without
            a value.
        max: Greatest error, in the same form.
        relative: Whether errors are fractions of the float32 value, as for metrics with a unit; views whose
            float32 value is 0 are then left out.
        n: Number of views compared.
        undefined: Number of views whose value is defined in float32 only.
    """

    mean: float
    max: float
    relative: bool
    n: int
    undefined: int


def read_precision_errors(info: Mapping[str, Any]) -> dict[str, MetricError] | None:
    """Return the error of each metric that uses the encoder, by name; None for a run in float32.

    Args:
        info: The content of ``run.json``.
    """
    record = info.get("precision")
    if record is None or record["used"] == "float32":
        return None
    used = next(trial for trial in record["trials"] if trial["precision"] == record["used"])
    return {name: MetricError(**_numbers(error)) for name, error in used["errors"].items()}


def _numbers(error: Mapping[str, Any]) -> dict[str, Any]:
    # JSON has no NaN.
    return {name: math.nan if value is None else value for name, value in error.items()}


def format_precision(info: Mapping[str, Any]) -> str:
    """Return one line on the precision of a run and its errors; empty for a run in float32."""
    errors = read_precision_errors(info)
    if errors is None:
        return ""
    record = info["precision"]
    measured = " · ".join(_worded(name, error) for name, error in errors.items())
    over = f"over {record['views']:,} views of {record['images']:,} images"
    return f"{record['used']}: error against float32 {over}, mean (greatest): {measured}"


def _worded(name: str, error: MetricError) -> str:
    lost = f", {error.undefined:,} undefined" if error.undefined else ""
    if not error.n:
        return f"{name.removesuffix('_similarity')} –{lost}"
    form = "{:.2g} %" if error.relative else "{:.1e}"
    mean, most = (form.format(value * (100 if error.relative else 1)) for value in (error.mean, error.max))
    return f"{name.removesuffix('_similarity')} {mean} ({most}){lost}"
