"""Attention similarity: how alike the two maps are where the encoder looked."""

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
from embshift.metrics.maps import corners, drawn_map, interpolation

__all__ = ["attention_similarity", "drawn_map"]


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
    """One over one plus the mean squared difference of two attention maps, ``1 / (1 + mean (A − A′)²)``.

    A is the mean over heads, drawn over the field that the encoder saw, in whole pixels (bilinear,
    half-pixel centres, edges repeated), then min–max. Nothing is drawn here, yet the value is that of the
    drawn maps: drawing is linear, so the difference of two maps is drawn as R d Cᵀ, and with the triangular
    factors of ``R = QU`` and ``C = PV`` its squares sum to those of U d Vᵀ, no larger than the grid.

    Blind to how strong the attention is, to what single heads do, and to whether the image's content
    moved: a flip reads as a change of attention.

    Args:
        reference: Encoding of the untouched images: attention (views, heads, patches), non-negative.
        shifted: Encoding of their views, row by row, of the same grid and field.

    Returns:
        One pure number a view, from 0.5 to 1 (equal maps). NaN where a map is constant, as on a 1x1 grid
        it always is, or not finite. Constant means equal in every patch to the last bit: contrast near
        rounding is still stretched to 0-1.

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
    _require_one_frame(reference, shifted)
    drawing = _drawing(reference)
    difference = _stretched(reference, drawing) - _stretched(shifted, drawing)  # (views, rows, columns)
    condensed = drawing.factor_down @ difference @ drawing.factor_across.T
    mean = condensed.square().sum(dim=(1, 2)) / drawing.pixels
    # Rounding may carry a mean square of numbers in [0, 1] past 1 by a unit in the last place.
    return 1.0 / (1.0 + mean.clamp(max=1.0))


class _Drawing(NamedTuple):
    """What drawing a grid over the field comes to, along each side: its extremes and its sums of squares."""

    pixels: int
    corner_down: Float64[torch.Tensor, "_ rows"]
    corner_across: Float64[torch.Tensor, "_ columns"]
    factor_down: Float64[torch.Tensor, "_ rows"]
    factor_across: Float64[torch.Tensor, "_ columns"]


def _drawing(encoding: Encoding, /) -> _Drawing:
    (rows, columns), field, device = encoding.grid, encoding.field, encoding.embedding.device
    height, width = round(field.height), round(field.width)
    down, across = _side(size=height, cells=rows), _side(size=width, cells=columns)
    return _Drawing(
        pixels=height * width,
        corner_down=torch.as_tensor(down[0], device=device),
        corner_across=torch.as_tensor(across[0], device=device),
        factor_down=torch.as_tensor(down[1], device=device),
        factor_across=torch.as_tensor(across[1], device=device),
    )


@lru_cache(maxsize=32)  # a run asks for the same two sides thousands of times
def _side(
    *, size: int, cells: int
) -> tuple[Float64[np.ndarray, "corners cells"], Float64[np.ndarray, "rank cells"]]:
    """The rows of the drawing matrix that hold the extremes, and its triangular factor."""
    matrix = interpolation(size=size, cells=cells)
    return matrix[corners(size=size, cells=cells)], np.linalg.qr(matrix)[1]


def _stretched(encoding: Encoding, drawing: _Drawing, /) -> Float64[torch.Tensor, "views rows columns"]:
    """The maps shifted and scaled so that, drawn, they run from 0 to 1; NaN where constant."""
    maps = _attention(encoding).double().mean(dim=1).reshape(-1, *encoding.grid)  # (views, rows, columns)
    # With the least value subtracted first, a constant map becomes exact zeros and keeps no spread; drawn
    # as it stands, its pixels would differ by rounding, and that would pass for contrast.
    maps = maps - maps.amin(dim=(1, 2), keepdim=True)
    drawn = drawing.corner_down @ maps @ drawing.corner_across.T  # (views, corner rows, corner columns)
    least = drawn.amin(dim=(1, 2), keepdim=True)
    spread = drawn.amax(dim=(1, 2), keepdim=True) - least
    return (maps - least) / spread.where(spread > 0, math.nan)


def _attention(encoding: Encoding, /) -> torch.Tensor:
    if encoding.attention is None:
        raise EncoderError("the encoding holds no attention; encode with capture=Capture.ATTENTION")
    return encoding.attention


def _require_one_frame(reference: Encoding, shifted: Encoding, /) -> None:
    if (reference.grid, reference.field) != (shifted.grid, shifted.field):
        raise EncoderError(
            f"the reference was seen as grid {reference.grid} over {reference.field}, the view as grid "
            f"{shifted.grid} over {shifted.field}; encode both at one image size"
        )
