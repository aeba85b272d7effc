"""Attention compared where the image has gone: does the encoder still look at the same things?"""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float64

from embshift.core.encoding import Encoding
from embshift.core.types import Capture, Coordinates, Direction, Field
from embshift.metrics import pair_metric
from embshift.metrics.attention import attention_similarity
from embshift.metrics.maps import interpolation

__all__ = ["attention_similarity_aligned"]


@pair_metric(
    name="attention_similarity_aligned",
    summary="squared difference of the attention maps after carrying the original's along",
    unit="1",
    bounds=(0.5, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    needs=Capture.ATTENTION | Capture.COORDINATES,
    blind_to="what has left the image, how strong the attention is, and what single heads do",
    performance=False,
    reference="This package; the plain metric of the paper on maps brought into one frame",
)
def attention_similarity_aligned(
    reference: Encoding, shifted: Encoding, /, *, coordinates: Sequence[Coordinates | None] = ()
) -> Float64[torch.Tensor, " views"]:
    """One over one plus the mean squared difference of two attention maps, the original's carried along.

    ``1 / (1 + mean (A − A′)²)`` over the pixels of the view's field that show something that the encoder
    saw in the original: A is the original's map, drawn and taken where the transform's map says that each
    pixel comes from; A′ is the view's. Each is stretched to 0-1 over those pixels. Where no pixel has moved
    it is the plain metric.

    Blind to what has left the image, to how strong the attention is, and to what single heads do.

    Args:
        reference: Encoding of the untouched images: attention (views, heads, patches), non-negative.
        shifted: Encoding of their views, row by row, of the same grid and field.
        coordinates: The map of each view; None, or none at all, where no pixel has moved.

    Returns:
        One pure number a view, from 0.5 to 1. NaN where no pixel is left, or a map is constant over those
        that are.

    Raises:
        EncoderError: An encoding holds no attention, or the grids or fields differ.

    Example:
        >>> import torch
        >>> from embshift.core.pixel_maps import grid
        >>> def of(*rows):
        ...     attention = torch.tensor(rows)[:, None]  # (views, heads, patches)
        ...     field = Field(0, 0, 32, 32)
        ...     return Encoding(embedding=attention[:, 0], grid=(2, 2), field=field, attention=attention)
        >>> flipped, way = of([0.2, 0.1, 0.4, 0.3]), grid(32, 32)[:, ::-1]
        >>> attention_similarity_aligned(of([0.1, 0.2, 0.3, 0.4]), flipped, coordinates=[way])
        tensor([1.], dtype=torch.float64)

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eq. (6).
    """
    values = attention_similarity(reference, shifted).clone()  # also refuses what cannot be compared
    for at, way in enumerate(coordinates):
        if way is not None:
            values[at] = _similarity(_drawn(reference, at), _drawn(shifted, at), way, shifted.field)
    return values


def _drawn(encoding: Encoding, at: int) -> Float64[np.ndarray, "height width"]:
    """One map over the field, not stretched."""
    (rows, columns), field = encoding.grid, encoding.field
    attention = torch.empty(0) if encoding.attention is None else encoding.attention
    grid = attention[at].double().mean(dim=0).cpu().numpy().reshape(rows, columns)
    down = interpolation(size=round(field.height), cells=rows)
    across = interpolation(size=round(field.width), cells=columns)
    # As in drawing: with the least value subtracted first, a constant map is exactly constant.
    return down @ (grid - grid.min()) @ across.T


def _similarity(
    before: Float64[np.ndarray, "rows columns"],
    after: Float64[np.ndarray, "rows columns"],
    way: Coordinates,
    field: Field,
) -> float:
    columns, rows = _source(way, field, shape=before.shape)
    seen = _within(columns, size=before.shape[1]) & _within(rows, size=before.shape[0])
    carried = cv2.remap(
        before,
        np.where(seen, columns, 0).astype(np.float32),
        np.where(seen, rows, 0).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    one, other = _stretched(carried[seen]), _stretched(after[seen])
    if one is None or other is None:
        return float("nan")
    return 1.0 / (1.0 + float(np.square(one - other).mean()))


def _source(
    way: Coordinates, field: Field, *, shape: tuple[int, ...]
) -> tuple[Float64[np.ndarray, "rows columns"], Float64[np.ndarray, "rows columns"]]:
    """Columns and rows of the original's drawn map that each pixel of the view's drawn map comes from."""
    down, across = field.height / shape[0], field.width / shape[1]
    # The nearest pixel of the image to each of the drawn map; they are the same where the field is whole.
    rows = np.clip(np.rint(field.top + (np.arange(shape[0]) + 0.5) * down - 0.5), 0, way.shape[0] - 1)
    columns = np.clip(np.rint(field.left + (np.arange(shape[1]) + 0.5) * across - 0.5), 0, way.shape[1] - 1)
    taken = way[rows.astype(int)[:, None], columns.astype(int)].astype(np.float64)
    return (
        (taken[..., 0] + 0.5 - field.left) / across - 0.5,
        (taken[..., 1] + 0.5 - field.top) / down - 0.5,
    )


def _within(places: Float64[np.ndarray, "height width"], *, size: int) -> Bool[np.ndarray, "height width"]:
    """Which places lie on the map, to the outer edge of its pixels; NaN does not."""
    return (places >= -0.5) & (places <= size - 0.5)


def _stretched(values: Float64[np.ndarray, " pixels"]) -> Float64[np.ndarray, " pixels"] | None:
    """From 0 to 1; None where there is no contrast to stretch."""
    if not len(values):
        return None
    least, greatest = values.min(), values.max()
    return (values - least) / (greatest - least) if greatest > least else None
