"""Detail similarity: how much texture each place keeps."""

from typing import Any, final

import numpy as np
from jaxtyping import Float32, Float64

from embshift.core.types import Direction, Pixels, Views
from embshift.metrics import PAPER, pixel_metric
from embshift.metrics.grid import over_grays

__all__ = ["Details", "detail_similarity", "kept_detail"]

_CELLS = 8
_UNIFORM = 1e-6
"""Deviation, in gray levels, below which a cell of the reference counts as uniform."""
_EXACT = 10_000
"""Pixels of a cell up to which squared thousandths sum to less than 2**53, and times the pixels to 2**63."""


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
def detail_similarity(reference: Pixels, shifted: Views, /) -> Float64[np.ndarray, " views"]:
    """Mean over the textured cells of an 8x8 grid of exp(−|log(σ′ / σ)|).

    σ and σ′ are the standard deviations of the gray of a cell before and after; the term is the smaller
    over the larger. Cells come by integer division, the remainder is dropped. Cells of the reference with
    σ < 1e-6 gray levels are left out; a cell that the transform flattens counts 0.

    Blind to what the texture is: any rearrangement of a cell's pixels and any constant added to them; and
    to texture that appears in a cell that was uniform.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.

    Returns:
        One pure number a view, from 0 (every cell flattened) to 1 (equal deviations). NaN where no cell of
        the reference has texture, or a side is shorter than 8 pixels.

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
    return over_grays(reference, shifted, metrics=[Details])[0]


@final
class Details:
    """`detail_similarity`, a gray image at a time."""

    least = _CELLS

    def __init__(self) -> None:
        self._cell = (0, 0)
        self._wide: Any = None
        self._found = list[np.ndarray]()  # sums and sums of squares of the cells' columns, or deviations

    def add(self, gray: Float32[np.ndarray, "height width"], /) -> None:
        """The reference, then its views."""
        self._cell = height, width = gray.shape[0] // _CELLS, gray.shape[1] // _CELLS
        inner = gray[: height * _CELLS, : width * _CELLS]
        if height * width > _EXACT:
            self._found.append(_centred(inner, height=height, width=width))
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
        """One value a view."""
        found, (height, width) = np.stack(self._found), self._cell
        deviations = found if height * width > _EXACT else _from_sums(found, height=height, width=width)
        return kept_detail(deviations[0], deviations[1:])


def kept_detail(
    before: Float64[np.ndarray, " cells"], after: Float64[np.ndarray, "views cells"], /
) -> Float64[np.ndarray, " views"]:
    """What the deviations of the cells come to, one value a view; NaN where no cell had texture.

    Args:
        before: Of the reference, in gray levels.
        after: Of its views.
    """
    textured = before >= _UNIFORM
    if not textured.any():
        return np.full(len(after), np.nan)
    kept, others = before[textured], after[:, textured]
    # exp(−|log r|) is the lesser of r and 1 / r, and this form needs no logarithm of a flattened cell's 0.
    return np.mean(np.minimum(kept, others) / np.maximum(kept, others), axis=1)


def _from_sums(
    found: Float64[np.ndarray, "images 2 bands columns"], /, *, height: int, width: int
) -> Float64[np.ndarray, "images cells"]:
    """Deviations of the cells' gray, row by row, in gray levels.

    Sums are whole numbers, and so the same in any order of adding.
    """
    cells = found.reshape(len(found), 2, _CELLS**2, width).sum(axis=3)
    sums, squares = cells.astype(np.int64).swapaxes(0, 1)
    count = height * width
    return np.sqrt((count * squares - sums * sums).astype(np.float64)) / (count * 1000.0)


def _centred(
    gray: Float32[np.ndarray, "height width"], /, *, height: int, width: int
) -> Float64[np.ndarray, " cells"]:
    """The deviations of cells that are too large for exact sums of squares."""
    cells = gray.reshape(_CELLS, height, _CELLS, width).swapaxes(1, 2)  # (8, 8, height, width)
    centred = cells.astype(np.float64, order="C").reshape(_CELLS**2, -1)  # (64, pixels)
    centred -= centred.mean(axis=1, keepdims=True)
    return np.sqrt(np.vecdot(centred, centred) / centred.shape[1]) / 1000.0
