"""Points with intervals in rows, on a scale of few numbers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from embshift.show.figures.layout.style import GREY, INK, SIZES

__all__ = ["ERROR", "Point", "add_points", "choose_scale", "set_scale"]

ERROR = 0.05
"""Greatest adjusted p of a difference that is shown as certain."""

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


class Point(NamedTuple):
    """A mean with its intervals; NaN where undefined.

    Attributes:
        mean: The mean.
        low: Lower end of its own interval.
        high: Upper end.
        wide_low: Lower end of the interval that holds with others.
        wide_high: Upper end.
        sure: Whether the point is filled.
    """

    mean: float
    low: float
    high: float
    wide_low: float
    wide_high: float
    sure: bool


def choose_scale(points: Sequence[Point], *, through: float) -> tuple[float, float]:
    """Return the ends of a scale that holds all points with their intervals.

    Args:
        points: The points.
        through: A value that the scale holds as well.
    """
    ends = [value for one in points for value in one[:5] if math.isfinite(value)]
    low, high = min([*ends, through]), max([*ends, through])
    if low == high:
        return low - 1.0, high + 1.0
    room = 0.05 * (high - low)
    return (low if low == through else low - room), (high if high == through else high + room)


def set_scale(axes: Axes, scale: tuple[float, float], *, zero: bool) -> None:
    """Set a scale with three numbers at most, which stay clear of the panels beside it."""
    axes.set_xlim(*scale)
    ticks = _choose_ticks(*scale)
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axes.tick_params(axis="x", labelsize=SIZES.small)
    for label, tick in zip(axes.get_xticklabels(), ticks, strict=True):
        place = (tick - scale[0]) / (scale[1] - scale[0])
        label.set_horizontalalignment("left" if place < 0.15 else "right" if place > 0.85 else "center")
    axes.grid(visible=True, axis="x")
    if zero:
        axes.axvline(0, color=GREY, linewidth=0.7, zorder=1.5)


def _choose_ticks(low: float, high: float) -> list[float]:
    """Return two or three round numbers, 0 among them where it is on the scale."""
    size = 10 ** math.floor(math.log10(high - low))
    for step in (factor * size * scale for scale in (0.1, 1.0) for factor in _STEPS):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first <= 2:
            return [round(step * at, 12) for at in range(first, last + 1)]
    return [low, high]


def add_points(axes: Axes, points: Sequence[Point]) -> None:
    """Add one point a row, with its intervals; "undefined" for NaN."""
    for at, one in enumerate(points):
        if math.isnan(one.mean):
            axes.annotate(
                "undefined", (0.02, at), xycoords=axes.get_yaxis_transform(), va="center", size=SIZES.small
            )
            continue
        for low, high, width in ((one.wide_low, one.wide_high, 0.6), (one.low, one.high, 2.0)):
            if math.isfinite(low) and math.isfinite(high):
                axes.plot([low, high], [at, at], color=INK, linewidth=width, solid_capstyle="butt")
        axes.plot(
            [one.mean],
            [at],
            marker="o",
            markersize=4.0,
            color=INK if one.sure else "white",
            markeredgecolor=INK,
            markeredgewidth=0.7,
            linestyle="none",
        )
