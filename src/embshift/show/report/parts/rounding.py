"""Numbers rounded for the page's data."""

import math

__all__ = ["round_value"]


def round_value(value: float) -> float | None:
    """Round to six significant digits, more than the page shows; None for NaN and infinity."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
