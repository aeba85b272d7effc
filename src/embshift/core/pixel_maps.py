"""Where the pixels of a view come from, and pictures carried along.

A map holds, for each pixel of the view, the column and row of the place in the original that it shows, pixel
centres at whole numbers; NaN where the view shows nothing of the original.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float

from embshift.core.types import Coordinates, Pixels

__all__ = ["carry", "grid", "find_inside", "mean_displacement", "make_empty_map"]


def grid(height: int, width: int) -> Coordinates:
    """The map of a view in which every pixel stays at its place."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([columns, rows], axis=-1).astype(np.float32)


def make_empty_map(height: int, width: int) -> Coordinates:
    """The map of a view of which nothing is known to come from anywhere."""
    return np.full((height, width, 2), np.nan, np.float32)


def find_inside(
    places: Float[np.ndarray, "height width 2"], /, *, height: int, width: int
) -> Bool[np.ndarray, "height width"]:
    """Which places lie between the outermost pixel centres of a picture; NaN does not.

    A thousandth of a pixel beyond is still inside: turning by a right angle loses no row to rounding.
    """
    columns, rows = places[..., 0], places[..., 1]
    within = (columns >= -1e-3) & (columns <= width - 1 + 1e-3)
    return within & (rows >= -1e-3) & (rows <= height - 1 + 1e-3)


def carry(pixels: Pixels, coordinates: Coordinates, *, fill: int = 0) -> Pixels:
    """The picture as a map carries it: bilinear; what comes from nowhere, or from outside, is filled.

    Args:
        pixels: The original.
        coordinates: The map, of any size.
        fill: What is put where there is nothing, 0 to 255.
    """
    height, width = pixels.shape[:2]
    seen = find_inside(coordinates, height=height, width=width)
    columns = np.where(seen, np.clip(coordinates[..., 0], 0, width - 1), 0)
    rows = np.where(seen, np.clip(coordinates[..., 1], 0, height - 1), 0)
    shown = cv2.remap(pixels, columns, rows, cv2.INTER_LINEAR)
    shown[~seen] = fill
    return shown


def mean_displacement(coordinates: Coordinates | None) -> float:
    """How far the pixels of a view have moved on average, in pixels; NaN where none is known.

    Args:
        coordinates: The map; None where every pixel stays.
    """
    if coordinates is None:
        return 0.0
    moved = coordinates - grid(*coordinates.shape[:2])
    lengths = np.hypot(moved[..., 0], moved[..., 1])
    known = ~np.isnan(lengths)
    return float(lengths[known].mean(dtype=np.float64)) if known.any() else float("nan")
