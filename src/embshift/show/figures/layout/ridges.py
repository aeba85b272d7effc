"""One row's curve of a density, standing on its own base line."""

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes

from embshift.show.figures.layout.density import bandwidth, density, has_density
from embshift.show.figures.layout.style import Look, area

__all__ = ["HEIGHT", "peak", "ridge"]

HEIGHT = 0.62
"""Of a row, for the highest point of its curve."""

_POINTS = 400


def ridge(
    axes: Axes,
    values: Float64[np.ndarray, " images"],
    /,
    *,
    base: float,
    look: Look,
    span: tuple[float, float],
    bounds: tuple[float, float],
) -> None:
    """The density of a row's values, scaled to its own peak; upright lines where there is no spread.

    Args:
        axes: A panel whose rows go downward, one apart.
        values: Defined values.
        base: Where the curve stands.
        look: The transform's.
        span: Ends of the panel's scale.
        bounds: Least and greatest possible value.
    """
    axes.plot(span, [base, base], color=look.edge, linewidth=0.4)
    if not has_density(values):
        for value in np.unique(values):
            axes.plot([value, value], [base, base - HEIGHT], color=look.edge)
        return
    at, curve = _curve(values, span=span, bounds=bounds)
    top = base - HEIGHT * curve / curve.max()
    filled = axes.fill_between(at, base, top)
    filled.set(**area(look))
    filled.set_linewidth(0.0)  # the edge is drawn by itself, in the dark colour
    axes.plot(at, top, color=look.edge, linewidth=0.6, clip_on=False)


def peak(
    values: Float64[np.ndarray, " images"], *, span: tuple[float, float], bounds: tuple[float, float]
) -> float:
    """Where the density is greatest; the value itself where there is no spread, NaN where there is none."""
    if not len(values):
        return float("nan")
    if not has_density(values):
        return float(values[0])
    at, curve = _curve(values, span=span, bounds=bounds)
    return float(at[int(curve.argmax())])


def _curve(
    values: Float64[np.ndarray, " images"], *, span: tuple[float, float], bounds: tuple[float, float]
) -> tuple[Float64[np.ndarray, " points"], Float64[np.ndarray, " points"]]:
    """Points over the values' own range, and the density there: a narrow curve has as many as a wide one."""
    reach = 4 * bandwidth(values)
    at = np.linspace(
        max(span[0], float(values.min()) - reach), min(span[1], float(values.max()) + reach), _POINTS
    )
    return at, density(values, at=at, bounds=bounds)
