"""Bars of similarities, from 0 to 1, with their numbers where there is room for them."""

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes

from embshift.show.figures.layout.labels import text_width
from embshift.show.figures.layout.style import SIZES, Look, area, on
from embshift.show.text.numbers import format_number

__all__ = ["lowest", "scale_from", "similarity_bar"]

_PAD = 0.035
"""Inches between a number and the bar's end beside it."""


def lowest(values: Float64[np.ndarray, "*shape"]) -> float:
    """Where a scale of similarities begins: 0, or the tenth below what is negative."""
    defined = values[~np.isnan(values)]
    return min(0.0, float(np.floor(10 * defined.min()) / 10)) if len(defined) else 0.0


def scale_from(axes: Axes, low: float) -> None:
    """A scale from a value to 1, its outer numbers inside the panel, so that neighbours' never meet."""
    axes.set_xlim(low, 1.0)
    ticks = [0.0, 1.0] if low > -0.3 else [low, 0.0, 1.0]
    labels = axes.set_xticks(ticks, [format_number(tick, places=0 if tick >= 0 else 1) for tick in ticks])
    labels[-1].label1.set_horizontalalignment("right")
    if ticks[0] == low:
        labels[0].label1.set_horizontalalignment("left")


def similarity_bar(
    axes: Axes, value: float, /, *, at: float, look: Look, width: float, text: str | None = None
) -> None:
    """One bar, its number at its foot, or behind it where the bar is too short.

    At the foot, since lines of averages cross the bars near their ends.

    Args:
        axes: A panel that `scale_from` has given its scale.
        value: Where the bar ends; NaN says "undefined".
        at: The bar's row.
        look: The transform's.
        width: Inches of the panel.
        text: What to print; the value where None.
    """
    told = "undefined" if np.isnan(value) else format_number(value, places=2) if text is None else text
    low, high = axes.get_xlim()
    inch = width / (high - low)
    inside = value * inch >= text_width(told, size=SIZES.small) + 2 * _PAD
    if not np.isnan(value):
        axes.barh(at, value, height=0.78, **area(look))
    foot = (0.0 if inside or np.isnan(value) else max(value, 0.0)) + _PAD / inch
    # On plain colour: neither a hatch nor a line runs through the number.
    ground = look.colour if inside else "white"
    ends = [foot - 0.2 * _PAD / inch, foot + (text_width(told, size=SIZES.small) + 0.2 * _PAD) / inch]
    axes.fill_between(ends, at - 0.34, at + 0.34, color=ground, linewidth=0, zorder=2.7)
    ink = on(look.colour) if inside else look.text
    axes.text(foot, at, told, va="center_baseline", size=SIZES.small, color=ink, zorder=3)
