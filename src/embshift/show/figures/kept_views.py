"""Kept views on a page: as they are, or under the encoder's map."""

from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from embshift.core.types import Pixels
from embshift.show.figures.layout.style import GREY, PALE, SIZES, Look
from embshift.show.figures.material import EncoderMap

__all__ = ["MAP_COLOURS", "Place", "image_height", "overlay_map", "show_image", "show_placeholder"]

MAP_COLOURS = "inferno"
"""Colours of an encoder's map: they run from dark to light for every kind of colour vision."""

_TALLEST = 1.6
"""Largest height of an image's place, relative to its width; a taller image is shown narrower."""


def image_height(pixels: Pixels, *, width: float) -> float:
    """Return the inches that an image takes downward at a width."""
    height, across, _ = pixels.shape
    return width * min(height / across, _TALLEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Place of an image on a canvas, in inches."""

    left: float
    top: float
    width: float
    height: float


def show_image(canvas: Axes, pixels: Pixels, /, *, place: Place, look: Look | None = None) -> None:
    """Show an image as large as its place allows, framed in the transform's colour."""
    height, across, _ = pixels.shape
    width = min(place.width, place.height * across / height)
    tall = width * height / across
    left = place.left + (place.width - width) / 2
    extent = (left, left + width, place.top + tall, place.top)
    limits = canvas.axis()
    canvas.imshow(pixels, extent=extent, aspect="auto")
    canvas.axis(limits)  # imshow sets the limits to those of the image
    edge = GREY if look is None else look.colour
    canvas.add_patch(
        Rectangle(
            (left, place.top), width, tall, fill=False, edgecolor=edge, linewidth=0.5 if look is None else 1.3
        )
    )


def show_placeholder(canvas: Axes, why: str, /, *, place: Place) -> None:
    """Show a pale rectangle with the reason why there is no image."""
    canvas.add_patch(
        Rectangle((place.left, place.top), place.width, place.height, facecolor=PALE, edgecolor="none")
    )
    middle = (place.left + place.width / 2, place.top + place.height / 2)
    canvas.text(*middle, why, ha="center", va="center", size=SIZES.small)


def overlay_map(pixels: Pixels, found: EncoderMap) -> UInt8[np.ndarray, "height width 3"]:
    """Return the image in grey with the map's colours over what the encoder saw; darker where it saw nothing.

    Args:
        pixels: The view.
        found: Its map, which must not be constant.
    """
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    result = np.repeat(0.35 * grey[:, :, None], 3, axis=2)
    top, left = round(found.field.top), round(found.field.left)
    height = min(found.shares.shape[0], pixels.shape[0] - top)
    width = min(found.shares.shape[1], pixels.shape[1] - left)
    seen = (slice(top, top + height), slice(left, left + width))
    colours = mpl.colormaps[MAP_COLOURS](found.shares[:height, :width])[:, :, :3] * 255.0
    result[seen] = 0.4 * grey[seen][:, :, None] + 0.6 * colours
    return np.clip(np.round(result), 0, 255).astype(np.uint8)
