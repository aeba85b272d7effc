"""Detail similarity: how much texture each cell of an image keeps."""

from typing import Any, final

import numpy as np
from jaxtyping import Float32, Float64

from embshift.core.types import Direction, Pixels, Views
from embshift.metrics import PAPER, pixel_metric
from embshift.metrics.gray import compute_from_gray, computed_from_gray

__all__ = ["GrayDetail", "compare_deviations", "detail_similarity"]

_CELLS = 8
_UNIFORM = 1e-6
"""Standard deviation, in gray levels, below which a cell of the reference counts as uniform."""
_EXACT = 10_000
"""Pixels of the largest cell whose sums are exact: squared thousandths sum to less than 2**53, and that sum
times the number of pixels is less than 2**63."""


@final
class GrayDetail:
    """The computation of `detail_similarity` from one gray image at a time."""

    smallest_side = _CELLS

    def __init__(self) -> None:
        self._cell = (0, 0)
        self._wide: Any = None
        self._found = list[np.ndarray]()  # sums and sums of squares of the cells' columns, or deviations

    def add(self, gray: Float32[np.ndarray, "height width"], /) -> None:
        """Add the reference, then each view."""
        self._cell = height, width = gray.shape[0] // _CELLS, gray.shape[1] // _CELLS
        inner = gray[: height * _CELLS, : width * _CELLS]
        if height * width > _EXACT:
            self._found.append(_compute_centred_deviations(inner, height=height, width=width))
            return
        if self._wide is None:
            self._wide = np.empty(inner.shape, np.float64)
        np.copyto(self._wide, inner)
        bands = self._wide.reshape(_CELLS, height, -1)
        sums = np.empty((2, _CELLS, width * _CELLS), np.float64)
        np.matmul(np.ones(height), bands, out=sums[0])
        np.einsum("byx,byx->bx", bands, bands, out=sums[1])
        self._found.append(sums)

    def values(self) -> Float64[np.ndarray, " views"]:
        """Return one value per view."""
        deviations, (height, width) = np.stack(self._found), self._cell
        if height * width <= _EXACT:
            deviations = _compute_deviations(deviations, height=height, width=width)
        return compare_deviations(deviations[0], deviations[1:])


@pixel_metric(
    name="detail_similarity",
    summary="ratio of the gray standard deviations in each cell of an 8x8 grid",
    unit="1",
    bounds=(0.0, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    blind_to="what the texture is: any rearrangement of a cell's pixels, and any constant added to them",
    performance=True,
    reference=PAPER.format(section="A.1.2, eq. (12)"),
)
@computed_from_gray(GrayDetail)
def detail_similarity(reference: Pixels, shifted: Views, /) -> Float64[np.ndarray, " views"]:
    """Compute the mean of exp(−|log(σ′ / σ)|) over the textured cells of an 8x8 grid.

    σ and σ′ are the standard deviations of a cell's gray before and after; the term equals the smaller one
    divided by the larger one. The cells' sides come from integer division, and the remainder is dropped.
    Cells of the reference with σ < 1e-6 gray levels are left out; a cell that the transform flattens counts
    as 0.

    Blind to what the texture is: to any rearrangement of a cell's pixels and any constant added to them. Also
    blind to texture that appears in a cell that was uniform.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.

    Returns:
        One pure number per view, from 0 (every cell flattened) to 1 (equal deviations). NaN where no cell of
        the reference has texture, or where a side is shorter than 8 pixels.

    Example:
        >>> import numpy as np
        >>> board = np.indices((16, 16)).sum(axis=0).astype(np.uint8)[..., None].repeat(3, axis=2) % 2
        >>> detail_similarity(board, np.stack([board, 4 * board, 0 * board]))
        array([1.  , 0.25, 0.  ])
        >>> detail_similarity(0 * board, board[None])
        array([nan])

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eq. (12).
    """
    return compute_from_gray(reference, shifted, metrics=[GrayDetail])[0]


def compare_deviations(
    before: Float64[np.ndarray, " cells"], after: Float64[np.ndarray, "views cells"], /
) -> Float64[np.ndarray, " views"]:
    """Compute eq. (12) from the cells' standard deviations.

    Args:
        before: Deviations of the reference, in gray levels.
        after: Deviations of its views, in gray levels.

    Returns:
        One value per view; NaN where no cell of the reference has texture.
    """
    textured = before >= _UNIFORM
    if not textured.any():
        return np.full(len(after), np.nan)
    kept, others = before[textured], after[:, textured]
    # exp(−|log r|) is the lesser of r and 1 / r. This form takes no logarithm of a flattened cell's 0.
    return np.mean(np.minimum(kept, others) / np.maximum(kept, others), axis=1)


def _compute_deviations(
    found: Float64[np.ndarray, "images 2 bands columns"], /, *, height: int, width: int
) -> Float64[np.ndarray, "images cells"]:
    """Return the standard deviations of the cells' gray, row by row, in gray levels.

    Sums are whole numbers, so the order of addition does not change them.
    """
    cells = found.reshape(len(found), 2, _CELLS**2, width).sum(axis=3)
    sums, squares = cells.astype(np.int64).swapaxes(0, 1)
    count = height * width
    return np.sqrt((count * squares - sums * sums).astype(np.float64)) / (count * 1000.0)


def _compute_centred_deviations(
    gray: Float32[np.ndarray, "height width"], /, *, height: int, width: int
) -> Float64[np.ndarray, " cells"]:
    """Return the standard deviations of cells that are too large for exact sums of squares."""
    cells = gray.reshape(_CELLS, height, _CELLS, width).swapaxes(1, 2)  # (8, 8, height, width)
    centred = cells.astype(np.float64, order="C").reshape(_CELLS**2, -1)  # (64, pixels)
    centred -= centred.mean(axis=1, keepdims=True)
    return np.sqrt(np.vecdot(centred, centred) / centred.shape[1]) / 1000.0
