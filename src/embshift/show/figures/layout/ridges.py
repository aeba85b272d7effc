"""Ridges: the density curve of one row, on its own base line."""

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes

from embshift.show.figures.layout.density import bandwidth, density, has_density
from embshift.show.figures.layout.style import Look, area_style

__all__ = ["HEIGHT", "add_ridge", "find_peak"]

HEIGHT = 0.62
"""Height of a curve's peak, relative to its row."""

_POINTS = 400


def add_ridge(
    axes: Axes,
    values: Float64[np.ndarray, " images"],
    /,
    *,
    base: float,
    look: Look,
    span: tuple[float, float],
    bounds: tuple[float, float],
) -> None:
    """Add the density of a row's values, scaled to its own peak; upright lines where all values are equal.

    Args:
        axes: A panel whose rows go downward, at distance 1.
        values: Defined values.
        base: Height of the base line.
        look: The look of the transform.
        span: Ends of the scale of the panel.
        bounds: Smallest and largest possible value.
    """
    axes.plot(span, [base, base], color=look.edge, linewidth=0.4)
    if not has_density(values):
        for value in np.unique(values):
            axes.plot([value, value], [base, base - HEIGHT], color=look.edge)
        return
    at, curve = _compute_curve(values, span=span, bounds=bounds)
    top = base - HEIGHT * curve / curve.max()
    filled = axes.fill_between(at, base, top)
    filled.set(**area_style(look))
    filled.set_linewidth(0.0)  # the edge is a line of its own, in the dark colour
    axes.plot(at, top, color=look.edge, linewidth=0.6, clip_on=False)


def find_peak(
    values: Float64[np.ndarray, " images"], *, span: tuple[float, float], bounds: tuple[float, float]
) -> float:
    """Return where the density is highest; the value itself if all are equal, NaN if there is none."""
    if not len(values):
        return float("nan")
    if not has_density(values):
        return float(values[0])
    at, curve = _compute_curve(values, span=span, bounds=bounds)
    return float(at[int(curve.argmax())])


def _compute_curve(
    values: Float64[np.ndarray, " images"], *, span: tuple[float, float], bounds: tuple[float, float]
) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
    """Return points over the values' own range, so that narrow curves stay smooth, and the density there."""
    reach = 4 * bandwidth(values)
    at = np.linspace(
        max(span[0], float(values.min()) - reach), min(span[1], float(values.max()) + reach), _POINTS
    )
    return at, density(values, at=at, bounds=bounds)
