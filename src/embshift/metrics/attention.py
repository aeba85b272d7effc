"""Attention similarity: how alike two attention maps are."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64

from embshift.core.encoding import Encoding
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, Direction
from embshift.metrics import PAPER, pair_metric
from embshift.metrics.upsampling import find_corners, make_upsampling_matrix

__all__ = ["attention_similarity"]


@pair_metric(
    name="attention_similarity",
    summary="squared difference of the two attention maps, each stretched to 0-1",
    unit="1",
    bounds=(0.5, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    needs=Capture.ATTENTION,
    blind_to="how strong the attention is, what single heads do, and whether the image's content moved",
    performance=True,
    reference=PAPER.format(section="A.1.2, eq. (6)"),
)
def attention_similarity(reference: Encoding, shifted: Encoding, /) -> Float64[torch.Tensor, " views"]:
    """Compute ``1 / (1 + mean (A − A′)²)`` of two attention maps A and A′.

    A is the mean over heads, upsampled to the field that the encoder saw, in whole pixels (bilinear,
    half-pixel centres, edges repeated), then stretched by min–max. The value is that of the upsampled maps,
    but no map is upsampled. Upsampling is linear, so the difference d of two maps becomes R d Cᵀ. With the
    triangular factors of ``R = QU`` and ``C = PV``, the squares of R d Cᵀ have the same sum as those of
    U d Vᵀ, which is no larger than the grid.

    Blind to how strong the attention is, to what single heads do, and to whether the image's content
    moved: a flip counts as a change of attention.

    Args:
        reference: Encoding of the untouched images: attention (views, heads, patches), non-negative.
        shifted: Encoding of their views, row by row, of the same grid and field.

    Returns:
        One pure number per view, from 0.5 to 1 (equal maps). NaN where a map is constant, as it always is on
        a 1x1 grid, or not finite. Constant means equal in every patch to the last bit: contrast as small as
        rounding errors is still stretched to 0-1.

    Raises:
        EncoderError: An encoding holds no attention, or the grids or fields differ.

    Example:
        >>> import torch
        >>> from embshift.core.types import Field
        >>> def of(*rows):
        ...     attention = torch.tensor(rows)[:, None]  # (views, heads, patches)
        ...     field = Field(0, 0, 32, 32)
        ...     return Encoding(embedding=attention[:, 0], grid=(2, 2), field=field, attention=attention)
        >>> reference = of([0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4])
        >>> attention_similarity(reference, of([0.2, 0.4, 0.6, 0.8], [0.25, 0.25, 0.25, 0.25]))
        tensor([1., nan], dtype=torch.float64)

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eq. (6).
    """
    _check_same_field(reference, shifted)
    upsampling = _prepare_upsampling(reference)
    difference = _stretch_maps(reference, upsampling) - _stretch_maps(
        shifted, upsampling
    )  # (views, rows, columns)
    condensed = upsampling.factor_down @ difference @ upsampling.factor_across.T
    mean = condensed.square().sum(dim=(1, 2)) / upsampling.pixels
    # Rounding may carry a mean square of numbers in [0, 1] past 1 by one unit in the last place.
    return 1.0 / (1.0 + mean.clamp(max=1.0))


class _Upsampling(NamedTuple):
    """Matrices that give the extremes and the sums of squares of an upsampled grid, along each side."""

    pixels: int
    corner_down: Float64[torch.Tensor, "_ rows"]
    corner_across: Float64[torch.Tensor, "_ columns"]
    factor_down: Float64[torch.Tensor, "_ rows"]
    factor_across: Float64[torch.Tensor, "_ columns"]


def _prepare_upsampling(encoding: Encoding, /) -> _Upsampling:
    (rows, columns), field, device = encoding.grid, encoding.field, encoding.embedding.device
    height, width = round(field.height), round(field.width)
    down, across = _prepare_side(size=height, cells=rows), _prepare_side(size=width, cells=columns)
    return _Upsampling(
        pixels=height * width,
        corner_down=torch.as_tensor(down[0], device=device),
        corner_across=torch.as_tensor(across[0], device=device),
        factor_down=torch.as_tensor(down[1], device=device),
        factor_across=torch.as_tensor(across[1], device=device),
    )


@lru_cache(maxsize=32)  # a run uses the same two sides thousands of times
def _prepare_side(
    *, size: int, cells: int
) -> tuple[Float64[np.ndarray, "corners cells"], Float64[np.ndarray, "rank cells"]]:
    """Return the rows of the upsampling matrix that give the extremes, and the matrix's triangular factor."""
    matrix = make_upsampling_matrix(size=size, cells=cells)
    return matrix[find_corners(size=size, cells=cells)], np.linalg.qr(matrix)[1]


def _stretch_maps(
    encoding: Encoding, upsampling: _Upsampling, /
) -> Float64[torch.Tensor, "views rows columns"]:
    """Return the maps, shifted and scaled so that they run from 0 to 1 when upsampled; NaN where constant."""
    maps = _get_attention(encoding).double().mean(dim=1).reshape(-1, *encoding.grid)  # (views, rows, columns)
    # With the smallest value subtracted first, a constant map becomes exact zeros and keeps no spread.
    # Otherwise its upsampled pixels would differ by rounding, and that would count as contrast.
    maps = maps - maps.amin(dim=(1, 2), keepdim=True)
    corners = (
        upsampling.corner_down @ maps @ upsampling.corner_across.T
    )  # (views, corner rows, corner columns)
    least = corners.amin(dim=(1, 2), keepdim=True)
    spread = corners.amax(dim=(1, 2), keepdim=True) - least
    return (maps - least) / spread.where(spread > 0, math.nan)


def _get_attention(encoding: Encoding, /) -> torch.Tensor:
    if encoding.attention is None:
        raise EncoderError("the encoding holds no attention; encode with capture=Capture.ATTENTION")
    return encoding.attention


def _check_same_field(reference: Encoding, shifted: Encoding, /) -> None:
    if (reference.grid, reference.field) != (shifted.grid, shifted.field):
        raise EncoderError(
            f"the reference was seen as grid {reference.grid} over {reference.field}, the view as grid "
            f"{shifted.grid} over {shifted.field}; encode both at one image size"
        )
