"""A picture as gray cells or colour cells: what the pixel metrics share."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float32, UInt8

from embshift.types import Pixels

__all__ = ["colour_cells", "gray_thousandths"]

_WEIGHTS = np.array([299, 587, 114], dtype=np.float32)


def gray_thousandths(pixels: Pixels, /) -> Float32[np.ndarray, "height width"]:
    """0.299 R + 0.587 G + 0.114 B, not rounded, in thousandths of a gray level (0 to 255,000).

    In thousandths every gray is an integer below 2**24, which float32 holds exactly: differences and sums
    of it carry no rounding, so a uniform area is exactly uniform.
    """
    # As one matrix (pixels, 3): numpy multiplies (height, width, 3) row by row, which takes 3 times as long.
    return (pixels.reshape(-1, 3).astype(np.float32) @ _WEIGHTS).reshape(pixels.shape[:2])


def colour_cells(pixels: Pixels, /, *, count: int) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """The count by count cells of a picture, row by row; integer division, the remainder is dropped."""
    height, width = pixels.shape[0] // count, pixels.shape[1] // count
    for row in range(count):
        for column in range(count):
            yield pixels[row * height : (row + 1) * height, column * width : (column + 1) * width]
