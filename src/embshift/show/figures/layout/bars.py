"""Bars of similarities from 0 to 1, each with its number inside it, or behind it where it is too short."""

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes

from embshift.show.figures.layout.labels import text_width
from embshift.show.figures.layout.style import SIZES, Look, area_style, ink_on
from embshift.show.text.numbers import format_number

__all__ = ["add_similarity_bar", "scale_start", "set_similarity_scale"]

_PAD = 0.035
"""Inches between a number and the end of its bar."""


def scale_start(values: Float64[np.ndarray, "*shape"]) -> float:
    """Return where a scale of similarities begins: 0, or the tenth below the lowest negative value."""
    defined = values[~np.isnan(values)]
    return min(0.0, float(np.floor(10 * defined.min()) / 10)) if len(defined) else 0.0


def set_similarity_scale(axes: Axes, low: float) -> None:
    """Set a scale from a value to 1 whose outer numbers stay inside the panel and clear of the next one."""
    axes.set_xlim(low, 1.0)
    ticks = [0.0, 1.0] if low > -0.45 else [low, 0.0, 1.0]
    labels = axes.set_xticks(ticks, [format_number(tick, places=0 if tick >= 0 else 1) for tick in ticks])
    labels[-1].label1.set_horizontalalignment("right")
    if ticks[0] == low:
        labels[0].label1.set_horizontalalignment("left")


def add_similarity_bar(
    axes: Axes, value: float, /, *, at: float, look: Look, width: float, text: str | None = None
) -> None:
    """Add a bar with its number at its foot, or behind it where the bar is too short.

    The number is at the foot because lines of averages cross the bars near their ends.

    Args:
        axes: A panel whose scale `set_similarity_scale` has set.
        value: Where the bar ends; "undefined" is written for NaN.
        at: Row of the bar.
        look: The look of the transform.
        width: Inches of the panel.
        text: Text in place of the value.
    """
    if np.isnan(value):
        text = "undefined"
    elif text is None:
        text = format_number(value, places=2)
    low, high = axes.get_xlim()
    inch = width / (high - low)
    inside = value * inch >= text_width(text, size=SIZES.small) + 2 * _PAD
    if not np.isnan(value):
        axes.barh(at, value, height=0.78, **area_style(look))
    foot = (0.0 if inside or np.isnan(value) else max(value, 0.0)) + _PAD / inch
    # A plain background keeps hatches and lines from running through the number.
    ground = look.colour if inside else "white"
    ends = [foot - 0.2 * _PAD / inch, foot + (text_width(text, size=SIZES.small) + 0.2 * _PAD) / inch]
    axes.fill_between(ends, at - 0.34, at + 0.34, color=ground, linewidth=0, zorder=2.7)
    ink = ink_on(look.colour) if inside else look.text
    axes.text(foot, at, text, va="center_baseline", size=SIZES.small, color=ink, zorder=3)
