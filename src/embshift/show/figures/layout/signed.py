"""Colours of signed values: white at 0, red above it, blue below it."""

import math
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from jaxtyping import Float64
from matplotlib.colors import to_hex

from embshift.show.figures.layout.colour_bars import add_bar, bar_height
from embshift.show.figures.layout.sheets import Sheet

__all__ = ["SignedScale", "add_signed_bar", "signed_bar_height"]

_COLOURS = "RdBu_r"
"""From blue through white to red: distinguishable with every kind of colour blindness."""

_LIMITS = (1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0)
"""Ends of a scale up to a power of ten; a quarter of each is a short number too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedScale:
    """Colour scale about 0.

    Attributes:
        limit: Value of the darkest red; less 1 times it, of the darkest blue.
        label: What is measured, with its unit.
        rooted: Whether colours follow the square root of the size, so that small values stay visible beside
            large ones.
    """

    limit: float
    label: str
    rooted: bool

    @classmethod
    def of(cls, values: Float64[np.ndarray, "*shape"], *, label: str, rooted: bool = False) -> "SignedScale":
        """Return the shortest scale that holds all values; NaN does not count."""
        sizes = np.abs(values[np.isfinite(values)])
        most = float(sizes.max(initial=0.0)) or 1.0
        power = 10.0 ** math.floor(math.log10(most))
        limit = next((one * power for one in _LIMITS if one * power >= most), 10 * power)
        return cls(limit=float(f"{limit:.3g}"), label=label, rooted=rooted)

    def place(self, values: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
        """Return where values lie on the scale, from −1 to 1; NaN stays NaN."""
        sizes = np.clip(np.abs(values) / self.limit, 0.0, 1.0)
        return np.sign(values) * (np.sqrt(sizes) if self.rooted else sizes)

    def tint(self, values: Float64[np.ndarray, "rows columns"]) -> Float64[np.ndarray, "rows columns 3"]:
        """Return red, green and blue of values, from 0 to 1; none of the values is NaN."""
        return mpl.colormaps[_COLOURS]((1 + self.place(values)) / 2)[..., :3]

    def colours(self, values: Float64[np.ndarray, " cells"]) -> list[str]:
        """Return the colours of values, none of which is NaN."""
        return [to_hex(one) for one in mpl.colormaps[_COLOURS]((1 + self.place(values)) / 2)]


def signed_bar_height(scale: SignedScale, *, width: float) -> float:
    """Return the inches that `add_signed_bar` takes downward."""
    return bar_height(scale.label, width=width)


def add_signed_bar(sheet: Sheet, left: float, top: float, *, width: float, scale: SignedScale) -> None:
    """Add the horizontal colour scale, with its label."""
    axes = add_bar(sheet, left, top, width=width, label=scale.label, colours=_COLOURS, ends=(-1, 1))
    ticks = scale.limit * np.array([-1, -0.25 if scale.rooted else -0.5, 0, 0.25 if scale.rooted else 0.5, 1])
    axes.set_xticks(scale.place(ticks).tolist(), [f"{tick:.3g}".replace("-", "−") for tick in ticks.tolist()])
