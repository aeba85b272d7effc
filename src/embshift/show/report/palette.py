"""Colours of the report: those of the figures, made to stand out on a light and on a dark page."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.colors import to_hex, to_rgb

from embshift.show.figures.layout.style import looks, on, scale_colour
from embshift.show.figures.pictures import MAP

__all__ = ["lighter", "map_colours", "scale_colours", "transform_colours"]

_DARK_PAGE = 0.010
"""Relative luminance of the dark page's background, #14181d, from above."""

_STEPS = 64


def transform_colours(transforms: Sequence[str]) -> list[dict[str, str]]:
    """For each transform its colour on a light and on a dark page; each has contrast 3 to 1 or more."""
    found = looks(transforms)
    return [
        {"light": found[name].edge, "dark": lighter(found[name].colour, contrast=3.0)} for name in transforms
    ]


def lighter(colour: str, *, contrast: float) -> str:
    """The colour, mixed with white until it has some contrast with the dark page (WCAG 2.1)."""
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


def scale_colours() -> list[dict[str, str]]:
    """The heat map's colours from low to high, each with the ink that is read best on it."""
    colours = [scale_colour(step / (_STEPS - 1)) for step in range(_STEPS)]
    return [{"fill": colour, "ink": on(colour)} for colour in colours]


def map_colours() -> list[list[int]]:
    """The colours of the encoder's maps from low to high: red, green, blue, 0 to 255."""
    scale = mpl.colormaps[MAP]
    return [[round(255 * part) for part in scale(step / (_STEPS - 1))[:3]] for step in range(_STEPS)]
