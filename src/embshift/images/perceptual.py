"""Perceptual hash: what an image shows, coarsely, in 32 bytes that survive compression and rescaling."""

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.core.types import Pixels

__all__ = ["HASH_BYTES", "hash_pixels"]

HASH_BYTES = 32
"""Length of a hash: one bit for each of the 256 pairs of neighbouring cells."""

_ROWS, _COLUMNS = 10, 14

_LEAST = 6.0
"""Standard deviation of the cells beside a plane, in grey levels, below which an image has no hash."""


def hash_pixels(pixels: Pixels, /) -> bytes | None:
    """Return the difference hash of an image: whether each of 10 × 14 cells is brighter than the one before.

    The image becomes grey, and each cell the mean of its area. The first 130 bits compare a cell with its
    left neighbour, row by row; the other 126 compare it with the one above. A bit is 1 where the cell is
    brighter. The hash is blind to colour, and changes with mirroring, rotation and crops of a few per cent.

    Args:
        pixels: An image of any size.

    Returns:
        32 bytes; None for an image whose cells deviate from a plane by less than 6 grey levels of 255: plain
        areas and smooth gradients of different images have much the same differences.

    Example:
        >>> flat = np.full((64, 64, 3), 128, np.uint8)
        >>> hash_pixels(flat) is None
        True
    """
    grey = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey, (_COLUMNS, _ROWS), interpolation=cv2.INTER_AREA).astype(np.float64)
    if _deviation_from_plane(cells) < _LEAST:
        return None
    across, down = cells[:, 1:] > cells[:, :-1], cells[1:] > cells[:-1]
    return np.packbits(np.concatenate([across.ravel(), down.ravel()])).tobytes()


def _deviation_from_plane(cells: Float64[np.ndarray, "rows columns"]) -> float:
    """Return the standard deviation of what no plane over rows and columns explains."""
    row = np.arange(_ROWS) - (_ROWS - 1) / 2
    column = np.arange(_COLUMNS) - (_COLUMNS - 1) / 2
    centred = cells - cells.mean()
    # Rows, columns and the constant are orthogonal on a whole grid, so each slope is fitted alone.
    centred -= np.outer(row, np.ones(_COLUMNS)) * (row @ centred.sum(axis=1) / (_COLUMNS * (row @ row)))
    centred -= column[None, :] * (column @ centred.sum(axis=0) / (_ROWS * (column @ column)))
    return float(np.sqrt(np.mean(centred**2)))
