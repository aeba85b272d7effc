"""Heat maps: cells with their numbers, one scale of lightness, and that scale beside them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from embshift.show.figures.layout.labels import text_height, text_width, wrapped
from embshift.show.figures.layout.sheets import Sheet
from embshift.show.figures.layout.style import PALE, SIZES, SLIDE, on, scale_colour
from embshift.show.text.numbers import format_number

__all__ = ["Scale", "bar_height", "cells", "colour_bar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What the colours mean.

    Attributes:
        low: Value of the darkest.
        high: Value of the lightest.
        label: What is measured, with its unit.
    """

    low: float
    high: float
    label: str

    @classmethod
    def to_one(cls, values: Float64[np.ndarray, "*shape"], *, label: str) -> "Scale":
        """From the tenth below the least value to 1."""
        defined = values[~np.isnan(values)]
        least = float(np.floor(10 * defined.min())) / 10 if len(defined) else 0.0
        return cls(low=min(least, 0.9), high=1.0, label=label)

    def share(self, value: float) -> float:
        """Where a value stands, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)


def cells(
    axes: Axes, values: Float64[np.ndarray, "rows columns"], *, scale: Scale, size: tuple[float, float]
) -> None:
    """One cell a value, with its number where it fits; an undefined one is pale and hatched.

    Args:
        axes: The panel.
        values: From the upper left.
        scale: What the colours mean.
        size: Inches of the panel, across and down.
    """
    rows, columns = values.shape
    axes.set_facecolor(PALE)
    axes.patch.set_hatch("xxxxx")
    axes.patch.set_edgecolor("white")
    axes.imshow(
        np.ma.masked_invalid(values),
        cmap=SLIDE,
        norm=Normalize(scale.low, scale.high),
        aspect="auto",
        interpolation="nearest",
        interpolation_stage="data",
    )
    axes.spines[:].set_visible(False)
    _numbers(axes, values, scale=scale, cell=(size[0] / columns, size[1] / rows))


def _numbers(
    axes: Axes, values: Float64[np.ndarray, "rows columns"], *, scale: Scale, cell: tuple[float, float]
) -> None:
    across = text_width("0.00", size=SIZES.small) + 0.04
    up = text_height(1, size=SIZES.small)
    if not (_fits((across, up), cell) or _fits((up, across), cell)):
        return
    turned = not _fits((across, up), cell)
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            axes.text(
                column,
                row,
                format_number(float(value), places=2),
                ha="center",
                va="center" if turned else "center_baseline",
                rotation=90 if turned else 0,
                size=SIZES.small,
                color=on(scale_colour(scale.share(float(value)))),
            )


def _fits(size: tuple[float, float], cell: tuple[float, float]) -> bool:
    return size[0] <= cell[0] and size[1] <= cell[1]


def bar_height(scale: Scale, *, width: float) -> float:
    """Inches downward that `colour_bar` takes."""
    return 0.28 + text_height(len(wrapped(scale.label, width=width, size=SIZES.label)), size=SIZES.label)


def colour_bar(sheet: Sheet, left: float, top: float, *, width: float, scale: Scale) -> None:
    """The scale of a heat map, lying, with its label."""
    axes = sheet.axes(left, top, width=width, height=0.09)
    axes.imshow(
        np.linspace(0, 1, 256)[None],
        cmap=SLIDE,
        aspect="auto",
        extent=(scale.low, scale.high, 0, 1),
        interpolation="nearest",
    )
    axes.spines[:].set_visible(False)
    axes.set_yticks([])
    lines = wrapped(scale.label, width=width, size=SIZES.label)
    axes.set_xlabel("\n".join(lines), linespacing=1.05)
    axes.locator_params(axis="x", nbins=max(2, int(width / 0.35)))
