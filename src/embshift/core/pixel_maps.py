"""Maps from the pixels of a view to places in the original, and images moved by such a map.

For each pixel of the view, a map holds the column and row of the place in the original that it shows. Pixel
centres are at whole numbers; NaN where the view shows nothing of the original.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from embshift.core.types import Coordinates, Pixels

__all__ = ["carry", "find_inside", "grid", "make_empty_map", "mean_displacement"]


def grid(height: int, width: int) -> Coordinates:
    """Return the map of a view in which every pixel stays at its place."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([columns, rows], axis=-1).astype(np.float32)


def make_empty_map(height: int, width: int) -> Coordinates:
    """Return the map of a view whose pixels have no known place in the original: all NaN."""
    return np.full((height, width, 2), np.nan, np.float32)


def find_inside(
    places: Float[np.ndarray, "height width 2"], /, *, height: int, width: int
) -> Bool[np.ndarray, "height width"]:
    """Return which places lie between the outermost pixel centres of an image; NaN does not.

    A tolerance of a thousandth of a pixel keeps rows that a rotation by a right angle would lose to rounding.
    """
    columns, rows = places[..., 0], places[..., 1]
    within = (columns >= -1e-3) & (columns <= width - 1 + 1e-3)
    return within & (rows >= -1e-3) & (rows <= height - 1 + 1e-3)


def carry(pixels: Pixels, coordinates: Coordinates, *, fill: int = 0) -> Pixels:
    """Move the pixels of an image along a map: bilinear; places outside the original are filled.

    Args:
        pixels: The original.
        coordinates: The map, of any size.
        fill: Value of pixels that show nothing of the original, 0 to 255.
    """
    height, width = pixels.shape[:2]
    seen = find_inside(coordinates, height=height, width=width)
    columns = np.where(seen, np.clip(coordinates[..., 0], 0, width - 1), 0)
    rows = np.where(seen, np.clip(coordinates[..., 1], 0, height - 1), 0)
    shown = cv2.remap(pixels, columns, rows, cv2.INTER_LINEAR)
    shown[~seen] = fill
    return shown


def mean_displacement(coordinates: Coordinates | None) -> float:
    """Return the mean displacement of the pixels of a view, in pixels; NaN where no place is known.

    Args:
        coordinates: The map; None where every pixel stays.
    """
    if coordinates is None:
        return 0.0
    moved = coordinates - grid(*coordinates.shape[:2])
    lengths = np.hypot(moved[..., 0], moved[..., 1])
    known = ~np.isnan(lengths)
    return float(lengths[known].mean(dtype=np.float64)) if known.any() else float("nan")
