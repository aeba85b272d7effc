"""Colours of the report: those of the figures, with enough contrast on a light and on a dark page."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.colors import to_hex, to_rgb

from embshift.show.figures.kept_views import MAP_COLOURS
from embshift.show.figures.layout.style import assign_looks, heat_colour, ink_on

__all__ = ["heat_colours", "lighten", "map_colours", "transform_colours"]

_DARK_PAGE = 0.010
"""Relative luminance of the dark page's background, #14181d, rounded up."""

_STEPS = 64


def transform_colours(transforms: Sequence[str]) -> list[dict[str, str]]:
    """Return each transform's colour on a light and on a dark page, with a contrast of at least 3 to 1."""
    found = assign_looks(transforms)
    return [
        {"light": found[name].edge, "dark": lighten(found[name].colour, contrast=3.0)} for name in transforms
    ]


def lighten(colour: str, *, contrast: float) -> str:
    """Mix a colour with white until it reaches a contrast with the dark page (WCAG 2.1)."""
    red, green, blue = to_rgb(colour)
    for step in range(100):
        share = step / 100
        mixed = (red + (1 - red) * share, green + (1 - green) * share, blue + (1 - blue) * share)
        if (_luminance(mixed) + 0.05) / (_DARK_PAGE + 0.05) >= contrast:
            return to_hex(mixed)
    return "#ffffff"


def _luminance(colour: tuple[float, float, float]) -> float:
    linear = [(c / 12.92) if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def heat_colours() -> list[dict[str, str]]:
    """Return the heat map's colours from low to high, each with the more legible text colour."""
    colours = [heat_colour(step / (_STEPS - 1)) for step in range(_STEPS)]
    return [{"fill": colour, "ink": ink_on(colour)} for colour in colours]


def map_colours() -> list[list[int]]:
    """Return the colours of the encoder's maps from low to high: red, green, blue, 0 to 255."""
    scale = mpl.colormaps[MAP_COLOURS]
    return [[round(255 * part) for part in scale(step / (_STEPS - 1))[:3]] for step in range(_STEPS)]
