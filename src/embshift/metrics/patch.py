"""Patch similarity: colours compared cell by cell."""

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.core.types import Direction, Pixels, Views
from embshift.metrics import PAPER, pixel_metric

__all__ = ["average_patch_similarity", "patch_similarity", "slice_cells"]

_CELLS = 4


@pixel_metric(
    name="patch_similarity",
    summary="mean squared colour difference in each cell of a 4x4 grid",
    unit="1",
    bounds=(0.5, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    blind_to="where inside a cell the colours differ, and whether they changed or only moved",
    performance=True,
    reference=PAPER.format(section="A.1.2, eqs. (7), (8)"),
)
def patch_similarity(reference: Pixels, shifted: Views, /) -> Float64[np.ndarray, " views"]:
    """Compute the mean over a 4x4 grid of 1 / (1 + MSE / 255²), in real-number arithmetic.

    ``patch_sim = 1/16 Σ_k 1 / (1 + MSE_k / 255²)``, with ``MSE_k`` the mean of ``(P − P′)²`` over the pixels
    and channels of cell k. The cells' sides come from integer division; the remainder at the right and the
    bottom is dropped.

    Blind to where inside a cell the colours differ, and to whether they changed or only moved: a flipped
    image scores like a repainted one.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.

    Returns:
        One pure number per view, from 0.5 (black against white) to 1 (equal cells). NaN where a side is
        shorter than 4 pixels, because then there is no cell to compare.

    Example:
        >>> import numpy as np
        >>> black = np.zeros((8, 8, 3), dtype=np.uint8)
        >>> patch_similarity(black, np.stack([black, black + 255]))
        array([1. , 0.5])

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eqs. (7), (8).
    """
    if min(reference.shape[:2]) < _CELLS:
        return np.full(len(shifted), np.nan)
    cells = [(reference[cell], cell) for cell in slice_cells(*reference.shape[:2], count=_CELLS)]
    # Eq. (8). OpenCV sums the squares of 8-bit differences in integers that are wide enough; subtracting
    # uint8 arrays would wrap modulo 256.
    sums = [[cv2.norm(pixels, view[cell], cv2.NORM_L2SQR) for pixels, cell in cells] for view in shifted]
    return average_patch_similarity(np.reshape(sums, (-1, _CELLS**2)) / cells[0][0].size)


def average_patch_similarity(errors: Float64[np.ndarray, "views cells"], /) -> Float64[np.ndarray, " views"]:
    """Compute eq. (7), one value per view, from the mean squared errors of the cells."""
    return np.mean(1.0 / (1.0 + errors / 255.0**2), axis=1)


def slice_cells(height: int, width: int, /, *, count: int) -> list[tuple[slice, slice]]:
    """Return the slices of an image's count by count cells, row by row; they drop the remainder.

    Where a side is shorter than ``count`` pixels, the cells are empty.
    """
    high, wide = height // count, width // count
    return [
        (slice(row * high, (row + 1) * high), slice(column * wide, (column + 1) * wide))
        for row in range(count)
        for column in range(count)
    ]
