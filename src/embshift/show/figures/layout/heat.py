"""Heat maps: cells with their numbers, and a bar that shows the colour scale."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from embshift.show.figures.layout.colour_bars import add_bar, bar_height
from embshift.show.figures.layout.labels import text_height, text_width
from embshift.show.figures.layout.sheets import Sheet
from embshift.show.figures.layout.style import HEAT_COLOURS, PALE, SIZES, heat_colour, ink_on
from embshift.show.text.numbers import format_number

__all__ = ["Scale", "add_cells", "add_colour_bar", "colour_bar_height"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Colour scale of a heat map.

    Attributes:
        low: Value of the darkest colour.
        high: Value of the lightest colour.
        label: What is measured, with its unit.
    """

    low: float
    high: float
    label: str

    @classmethod
    def to_one(cls, values: Float64[np.ndarray, "*shape"], *, label: str) -> "Scale":
        """Return the scale from the tenth below the smallest value to 1."""
        defined = values[~np.isnan(values)]
        least = float(np.floor(10 * defined.min())) / 10 if len(defined) else 0.0
        return cls(low=min(least, 0.9), high=1.0, label=label)

    def share(self, value: float) -> float:
        """Return where a value lies on the scale, from 0 to 1."""
        return (value - self.low) / (self.high - self.low)


def add_cells(
    axes: Axes, values: Float64[np.ndarray, "rows columns"], *, scale: Scale, size: tuple[float, float]
) -> None:
    """Add one cell for each value, with its number where it fits; undefined cells are pale and hatched.

    Args:
        axes: The panel.
        values: The values, from the upper left.
        scale: The colour scale.
        size: Width and height of the panel in inches.
    """
    rows, columns = values.shape
    axes.grid(visible=False)
    axes.set_facecolor(PALE)
    axes.patch.set_hatch("xxxxx")
    axes.patch.set_edgecolor("white")
    axes.imshow(
        np.ma.masked_invalid(values),
        cmap=HEAT_COLOURS,
        norm=Normalize(scale.low, scale.high),
        aspect="auto",
        interpolation="nearest",
        interpolation_stage="data",
    )
    axes.spines[:].set_visible(False)
    _add_numbers(axes, values, scale=scale, cell=(size[0] / columns, size[1] / rows))


def _add_numbers(
    axes: Axes, values: Float64[np.ndarray, "rows columns"], *, scale: Scale, cell: tuple[float, float]
) -> None:
    texts = {value: format_number(value, places=2) for value in values[~np.isnan(values)].tolist()}
    across = 0.04 + max((text_width(text, size=SIZES.small) for text in set(texts.values())), default=0.0)
    up = text_height(1, size=SIZES.small)
    if not (_fits((across, up), cell) or _fits((up, across), cell)):
        return
    turned = not _fits((across, up), cell)
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            axes.text(
                column,
                row,
                texts[float(value)],
                ha="center",
                va="center" if turned else "center_baseline",
                rotation=90 if turned else 0,
                size=SIZES.small,
                color=ink_on(heat_colour(scale.share(float(value)))),
            )


def _fits(size: tuple[float, float], cell: tuple[float, float]) -> bool:
    return size[0] <= cell[0] and size[1] <= cell[1]


def colour_bar_height(scale: Scale, *, width: float) -> float:
    """Return the inches that `add_colour_bar` takes downward."""
    return bar_height(scale.label, width=width)


def add_colour_bar(sheet: Sheet, left: float, top: float, *, width: float, scale: Scale) -> None:
    """Add the horizontal colour scale of a heat map, with its label."""
    ends = (scale.low, scale.high)
    axes = add_bar(sheet, left, top, width=width, label=scale.label, colours=HEAT_COLOURS, ends=ends)
    axes.locator_params(axis="x", nbins=max(2, int(width / 0.35)))
