"""Drawing a map over patches onto pixels. Never imports torch: figures draw with it too."""

import math

import numpy as np
from jaxtyping import Bool, Float, Float64

__all__ = ["corners", "drawn_map", "interpolation"]


def _positions(*, size: int, cells: int) -> Float64[np.ndarray, " height"]:
    """Where each pixel's centre falls among the cells' centres, held inside the outermost two."""
    return np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0.0, cells - 1.0)


def interpolation(*, size: int, cells: int) -> Float64[np.ndarray, "height rows"]:
    """The matrix that draws cells over pixels along one side: linear, half-pixel centres, edges repeated.

    A grid is drawn by one matrix a side: ``interpolation(down) @ grid @ interpolation(across).T``. Each row
    has at most two entries and sums to 1.
    """
    distance = np.abs(_positions(size=size, cells=cells)[:, None] - np.arange(cells))
    return np.maximum(1.0 - distance, 0.0)


def corners(*, size: int, cells: int) -> Bool[np.ndarray, " height"]:
    """Which pixels lie first or last between two neighbouring cell centres.

    Between four centres a drawn map is linear along either side, so that its least and greatest pixels are
    corners: these rows and columns alone give the extremes of the whole map.
    """
    interval = np.floor(_positions(size=size, cells=cells)).astype(int)
    return (np.diff(interval, prepend=-1) != 0) | (np.diff(interval, append=cells) != 0)


def drawn_map(
    row: Float[np.ndarray, " patches"], /, *, grid: tuple[int, int], height: int, width: int
) -> Float64[np.ndarray, "height width"]:
    """A map over patches as an image: bilinear, half-pixel centres, edges repeated, then min–max.

    Args:
        row: One value a patch, row by row, (patches,); of several heads, their mean.
        grid: Rows and columns of patches; rows * columns = patches.
        height: Pixels of the field the encoder saw, from top to bottom.
        width: Pixels of that field, from left to right.

    Returns:
        The map, (height, width), a pure number from 0 to 1. NaN everywhere where the map is constant (as a
        1x1 grid always is): it has no contrast to stretch.

    Example:
        >>> import numpy as np
        >>> drawn_map(np.array([0.2, 0.6]), grid=(1, 2), height=1, width=4).round(9)
        array([[0.  , 0.25, 0.75, 1.  ]])
    """
    patches = row.astype(np.float64).reshape(grid)
    # With the least value subtracted first, a constant map is drawn as exact zeros; drawn as it stands, its
    # pixels would differ by rounding, which min–max would stretch into an image.
    down = interpolation(size=height, cells=grid[0])
    across = interpolation(size=width, cells=grid[1])
    drawn = down @ (patches - patches.min()) @ across.T
    spread = drawn.max() - drawn.min()
    return (drawn - drawn.min()) / (spread if spread > 0 else math.nan)
