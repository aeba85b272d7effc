"""Upsampling of a map over patches to pixels. It never imports torch, because figures use it too."""

import math

import numpy as np
from jaxtyping import Bool, Float, Float64

__all__ = ["find_corners", "make_upsampling_matrix", "upsample_map"]


def _locate_centres(*, size: int, cells: int) -> Float64[np.ndarray, " height"]:
    """Return the position of each pixel's centre among the cells' centres, clipped to the outermost two."""
    return np.clip((np.arange(size) + 0.5) * cells / size - 0.5, 0.0, cells - 1.0)


def make_upsampling_matrix(*, size: int, cells: int) -> Float64[np.ndarray, "height rows"]:
    """Return the matrix that upsamples cells to pixels along one side.

    The interpolation is linear between half-pixel centres, and the edges are repeated. One matrix per side
    upsamples a grid: ``matrix(down) @ grid @ matrix(across).T``. Each row has at most two entries other than
    0, and sums to 1.
    """
    distance = np.abs(_locate_centres(size=size, cells=cells)[:, None] - np.arange(cells))
    return np.maximum(1.0 - distance, 0.0)


def find_corners(*, size: int, cells: int) -> Bool[np.ndarray, " height"]:
    """Return which pixels lie first or last between two neighbouring cell centres.

    Between four centres an upsampled map is linear along either side, so its smallest and largest values lie
    at corners: these rows and columns alone give the extremes of the whole map.
    """
    interval = np.floor(_locate_centres(size=size, cells=cells)).astype(int)
    return (np.diff(interval, prepend=-1) != 0) | (np.diff(interval, append=cells) != 0)


def upsample_map(
    row: Float[np.ndarray, " patches"], /, *, grid: tuple[int, int], height: int, width: int
) -> Float64[np.ndarray, "height width"]:
    """Upsample a map over patches to pixels: bilinear, half-pixel centres, edges repeated, then min–max.

    Args:
        row: One value per patch, row by row, (patches,); the mean over heads where there are several.
        grid: Rows and columns of patches; rows * columns = patches.
        height: Height of the field that the encoder saw, in pixels.
        width: Width of that field, in pixels.

    Returns:
        The map, (height, width), pure numbers from 0 to 1. NaN everywhere if the map is constant, as a 1x1
        grid always is, because it has no contrast to stretch.

    Example:
        >>> import numpy as np
        >>> upsample_map(np.array([0.2, 0.6]), grid=(1, 2), height=1, width=4).round(9)
        array([[0.  , 0.25, 0.75, 1.  ]])
    """
    patches = row.astype(np.float64).reshape(grid)
    # With the smallest value subtracted first, a constant map becomes exact zeros. Otherwise its pixels would
    # differ by rounding, and min–max would stretch that to full contrast.
    down = make_upsampling_matrix(size=height, cells=grid[0])
    across = make_upsampling_matrix(size=width, cells=grid[1])
    upsampled = down @ (patches - patches.min()) @ across.T
    spread = upsampled.max() - upsampled.min()
    return (upsampled - upsampled.min()) / (spread if spread > 0 else math.nan)
