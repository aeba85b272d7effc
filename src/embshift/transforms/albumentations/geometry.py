"""The coordinate maps of transforms that move pixels: from a matrix, or from albumentations itself."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.core.pixel_maps import grid, find_inside
from embshift.core.types import Coordinates

__all__ = ["inset", "moves", "placed", "replayed"]

_SEEN = 1 - 1e-3
"""Share of a pixel that must be picture, where the rest is border; less, and its colour is no one place's."""


def placed(matrix: Float64[np.ndarray, "2 3"], *, height: int, width: int) -> Coordinates:
    """The map of an affine transform, with NaN where it points outside the picture.

    Args:
        matrix: From a view's (column, row, 1) to the original's (column, row).
        height: Of both pictures, in pixels.
        width: Of both pictures, in pixels.
    """
    places = grid(height, width).astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    seen = find_inside(places, height=height, width=width)
    return np.where(seen[..., None], places, np.nan).astype(np.float32)


def inset(height: int, width: int, *, left: float, top: float, right: float, bottom: float) -> Coordinates:
    """The map of a picture made smaller within one of the same size, NaN around it.

    Args:
        height: Of both, in pixels.
        width: Of both, in pixels.
        left: Pixels that stay free on the left.
        top: Above.
        right: On the right.
        bottom: Below.
    """
    across, down = width / max(width - left - right, 1e-6), height / max(height - top - bottom, 1e-6)
    matrix = np.array([[across, 0, (0.5 - left) * across - 0.5], [0, down, (0.5 - top) * down - 0.5]])
    return placed(matrix, height=height, width=width)


def replayed(applied: Sequence[Any], shape: tuple[int, ...]) -> Callable[[], Coordinates] | None:
    """The map of transforms of albumentations that have just run; None where they move nothing.

    Each is applied once more with the parameters that it drew, to a picture whose colours are the
    coordinates: no formula of the library's is written again here.

    Args:
        applied: The transforms in the order in which they ran, with their parameters.
        shape: Height, width and 3 of the picture.
    """
    moving = [leaf for leaf in applied if leaf.params and moves(leaf)]
    return partial(_replay, moving, shape[0], shape[1]) if moving else None


def moves(leaf: Any) -> bool:
    """Whether a transform of albumentations is one of those that move pixels."""
    return type(leaf).__module__.startswith(_MOVING) and type(leaf).__name__ != "Morphological"


_MOVING = ("albumentations.augmentations.geometric.", "albumentations.augmentations.crops.")


def _replay(moving: Sequence[Any], height: int, width: int) -> Coordinates:
    colours = np.ones((height, width, 3), np.float32)
    # Within 0 to 1, to which the library cuts; the third colour stays 1 where there is picture.
    colours[..., :2] = (grid(height, width) + 0.5) / (width, height)
    for leaf in moving:
        # What only says how colours are mixed is set so that coordinates come out of the mixing.
        asked = copy.copy(leaf)
        asked.interpolation, asked.fill = cv2.INTER_LINEAR, 0.0
        given = leaf.params | {"interpolation": cv2.INTER_LINEAR, "fill": 0.0}
        colours = np.ascontiguousarray(asked.apply(colours, **given))
    places = colours[..., :2] * (width, height) - 0.5
    return np.where(colours[..., 2:] > _SEEN, places, np.nan).astype(np.float32)
