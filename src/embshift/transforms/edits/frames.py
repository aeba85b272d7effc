"""Frames around a smaller image: a plain border, and the screen of a telephone."""

import numpy as np

from embshift.core.pixel_maps import carry
from embshift.core.types import Coordinates, Pixels, View
from embshift.transforms import Strength, transform
from embshift.transforms.albumentations.geometry import hold_map, make_inset_map

__all__ = ["border", "screenshot_frame"]

_THEMES = ((255, 255, 255), (18, 18, 20))
"""Background colours of a light and a dark screen."""


@transform(
    name="border",
    family="geometric",
    summary="shrunk within a border of one colour",
    strength=Strength(
        meaning="width of the border, as a share of each side",
        unit="1",
        least=0,
        greatest=0.45,
        severities=(0.02, 0.05, 0.1, 0.17, 0.27),
        zero=0,
    ),
)
def border(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Resize the image to 1 − 2s of each side, in the middle; the border's colour is drawn."""
    colour = rng.integers(0, 256, 3)
    height, width = pixels.shape[:2]
    coordinates = make_inset_map(
        height,
        width,
        left=strength * width,
        top=strength * height,
        right=strength * width,
        bottom=strength * height,
    )
    return _place_in_frame(pixels, coordinates, colour, {"colour": colour.tolist()})


@transform(
    name="screenshot_frame",
    family="geometric",
    summary="screenshot of a post, with the image shrunk between a top and a bottom bar",
    strength=Strength(
        meaning="share of the height that the bars cover",
        unit="1",
        least=0,
        greatest=0.8,
        severities=(0.08, 0.16, 0.26, 0.38, 0.55),
        zero=0,
    ),
)
def screenshot_frame(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Shrink the image with its aspect ratio kept; a light or dark screen and its line lengths are drawn."""
    theme = int(rng.random() < 0.5)
    lengths = rng.uniform(0.3, 0.9, 3)
    height, width = pixels.shape[:2]
    beside = strength * width / 2
    above, below = 0.4 * strength * height, 0.6 * strength * height
    coordinates = make_inset_map(height, width, left=beside, top=above, right=beside, bottom=below)
    view = _place_in_frame(pixels, coordinates, np.array(_THEMES[theme]), {"dark": bool(theme)})
    _add_bars(view.pixels, above=above, below=below, lengths=lengths, ink=np.array(_THEMES[1 - theme]))
    return view


def _place_in_frame(
    pixels: Pixels, coordinates: Coordinates, colour: np.ndarray, parameters: dict[str, object]
) -> View:
    shown = carry(pixels, coordinates)
    shown[np.isnan(coordinates[..., 0])] = colour
    return View(pixels=shown, parameters=parameters, coordinates=hold_map(coordinates))


def _add_bars(pixels: Pixels, *, above: float, below: float, lengths: np.ndarray, ink: np.ndarray) -> None:
    """Add a round portrait and a name above, and three buttons and two lines of text below, all in grey."""
    height, width = pixels.shape[:2]
    grey = (0.55 * ink + 0.45 * (255 - ink)).astype(np.uint8)
    rows, columns = np.mgrid[0:height, 0:width]
    radius = 0.3 * above
    pixels[(rows - above / 2) ** 2 + (columns - above) ** 2 < radius**2] = grey
    start = height - below
    for at in range(3):
        middle = (0.08 + 0.12 * at) * width
        near = (np.abs(rows - start - 0.22 * below) < 0.1 * below) & (np.abs(columns - middle) < 0.1 * below)
        pixels[near] = grey
    lines = (
        (above / 2, 1.6 * above, above),
        (start + 0.55 * below, 0.05 * width, below),
        (start + 0.8 * below, 0.05 * width, below),
    )
    for (middle, left, bar), length in zip(lines, lengths, strict=True):
        line = (
            (np.abs(rows - middle) < 0.06 * bar) & (columns >= left) & (columns < left + length * 0.7 * width)
        )
        pixels[line] = grey
