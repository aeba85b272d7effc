"""Coordinate maps of transforms that move pixels: from a matrix, or by replaying albumentations."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.core.pixel_maps import find_inside, grid
from embshift.core.types import Coordinates

__all__ = ["hold_map", "make_affine_map", "make_inset_map", "make_replayed_map", "moves_pixels"]

_SEEN = 1 - 1e-3
"""The share of a pixel that must show the original rather than the border for its place to be known."""


def make_affine_map(matrix: Float64[np.ndarray, "2 3"], *, height: int, width: int) -> Coordinates:
    """Return the map of an affine transform, with NaN where it points outside the original.

    Args:
        matrix: From a view's (column, row, 1) to the original's (column, row).
        height: Height of both images, in pixels.
        width: Width of both images, in pixels.
    """
    places = grid(height, width).astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    seen = find_inside(places, height=height, width=width)
    return np.where(seen[..., None], places, np.nan).astype(np.float32)


def make_inset_map(
    height: int, width: int, *, left: float, top: float, right: float, bottom: float
) -> Coordinates:
    """Return the map of an image that is made smaller within a frame of its own size; NaN in the frame.

    Args:
        height: Height of the frame and the original, in pixels.
        width: Width of the frame and the original, in pixels.
        left: Free space on the left, in pixels.
        top: Free space above, in pixels.
        right: Free space on the right, in pixels.
        bottom: Free space below, in pixels.
    """
    across, down = width / max(width - left - right, 1e-6), height / max(height - top - bottom, 1e-6)
    matrix = np.array([[across, 0, (0.5 - left) * across - 0.5], [0, down, (0.5 - top) * down - 0.5]])
    return make_affine_map(matrix, height=height, width=width)


def hold_map(coordinates: Coordinates) -> Callable[[], Coordinates]:
    """Return a function that returns a map, as a `View` takes it; it can be sent between processes."""
    return partial(_return_map, coordinates)


def _return_map(coordinates: Coordinates) -> Coordinates:
    return coordinates


def make_replayed_map(applied: Sequence[Any], shape: tuple[int, ...]) -> Callable[[], Coordinates] | None:
    """Return what computes the map of albumentations transforms that have just run; None if no pixel moves.

    Each is applied once more with the parameters that it drew, to an image whose colours are the coordinates.
    So no formula of the library is repeated here.

    Args:
        applied: The transforms in the order in which they ran, with their parameters.
        shape: Height, width and 3: the shape of the image.
    """
    moving = [leaf for leaf in applied if leaf.params and moves_pixels(leaf)]
    return partial(_replay, moving, shape[0], shape[1]) if moving else None


def moves_pixels(leaf: Any) -> bool:
    """Return whether a transform of albumentations moves pixels."""
    return type(leaf).__module__.startswith(_MOVING_MODULES) and type(leaf).__name__ != "Morphological"


_MOVING_MODULES = ("albumentations.augmentations.geometric.", "albumentations.augmentations.crops.")


def _replay(moving: Sequence[Any], height: int, width: int) -> Coordinates:
    colours = np.ones((height, width, 3), np.float32)
    # Within 0 to 1, to which the library clips. The third colour stays 1 where the original is shown.
    colours[..., :2] = (grid(height, width) + 0.5) / (width, height)
    for leaf in moving:
        # Interpolation and fill only set how colours are mixed; these values keep coordinates meaningful.
        replayed = copy.copy(leaf)
        replayed.interpolation, replayed.fill = cv2.INTER_LINEAR, 0.0
        parameters = leaf.params | {"interpolation": cv2.INTER_LINEAR, "fill": 0.0}
        colours = np.ascontiguousarray(replayed.apply(colours, **parameters))
    places = colours[..., :2] * (width, height) - 0.5
    return np.where(colours[..., 2:] > _SEEN, places, np.nan).astype(np.float32)
