"""Colour bars: a horizontal scale of colours with its label."""

import numpy as np
from matplotlib.axes import Axes

from embshift.show.figures.layout.labels import text_height, wrap_text
from embshift.show.figures.layout.sheets import Sheet
from embshift.show.figures.layout.style import SIZES

__all__ = ["add_bar", "bar_height"]


def bar_height(label: str, *, width: float) -> float:
    """Return the inches that `add_bar` takes downward."""
    return 0.28 + text_height(len(wrap_text(label, width=width, size=SIZES.label)), size=SIZES.label)


def add_bar(
    sheet: Sheet,
    left: float,
    top: float,
    *,
    width: float,
    label: str,
    colours: str,
    ends: tuple[float, float],
) -> Axes:
    """Add a bar of colours, and return its axes for the ticks.

    Args:
        sheet: The sheet.
        left: Inches from the left.
        top: Inches from the top.
        width: Width of the bar in inches.
        label: What is measured, with its unit.
        colours: Name of the colour map.
        ends: Values at the left and the right end.
    """
    axes = sheet.axes(left, top, width=width, height=0.09)
    axes.grid(visible=False)
    axes.imshow(
        np.linspace(0, 1, 256)[None],
        cmap=colours,
        aspect="auto",
        extent=(*ends, 0, 1),
        interpolation="nearest",
    )
    axes.spines[:].set_visible(False)
    axes.set_yticks([])
    axes.set_xlabel("\n".join(wrap_text(label, width=width, size=SIZES.label)), linespacing=1.05)
    return axes
