"""Attention similarity with the original's map moved along the transform."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float64

from embshift.core.encoding import Encoding
from embshift.core.types import Capture, Coordinates, Direction, Field
from embshift.metrics import pair_metric
from embshift.metrics.attention import attention_similarity
from embshift.metrics.upsampling import make_upsampling_matrix

__all__ = ["attention_similarity_aligned"]


@pair_metric(
    name="attention_similarity_aligned",
    summary="squared difference of the attention maps after moving the original's along the transform",
    unit="1",
    bounds=(0.5, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    needs=Capture.ATTENTION | Capture.COORDINATES,
    blind_to="what has left the image, how strong the attention is, and what single heads do",
    performance=False,
    reference="This package; the metric of the paper on maps brought into one frame",
)
def attention_similarity_aligned(
    reference: Encoding, shifted: Encoding, /, *, coordinates: Sequence[Coordinates | None] = ()
) -> Float64[torch.Tensor, " views"]:
    """Compute ``1 / (1 + mean (A − A′)²)`` of two attention maps, the original's moved along the transform.

    The mean is over the pixels of the view's field that show something that the encoder saw in the original.
    A is the original's map, upsampled to pixels and read at the place that each pixel comes from, as the
    coordinate map says; A′ is the view's map. Each is stretched to 0-1 over those pixels. Where no pixel has
    moved, the value is that of `attention_similarity`.

    Blind to what has left the image, to how strong the attention is, and to what single heads do.

    Args:
        reference: Encoding of the untouched images: attention (views, heads, patches), non-negative.
        shifted: Encoding of their views, row by row, of the same grid and field.
        coordinates: The coordinate map of each view; None for a view, or an empty sequence for all, where no
            pixel has moved.

    Returns:
        One pure number per view, from 0.5 to 1. NaN where no pixel is left, or where a map is constant over
        those that are left.

    Raises:
        EncoderError: An encoding holds no attention, or the grids or fields differ.

    Example:
        >>> import torch
        >>> from embshift.core.pixel_maps import grid
        >>> def of(*rows):
        ...     attention = torch.tensor(rows)[:, None]  # (views, heads, patches)
        ...     field = Field(0, 0, 32, 32)
        ...     return Encoding(embedding=attention[:, 0], grid=(2, 2), field=field, attention=attention)
        >>> flipped, places = of([0.2, 0.1, 0.4, 0.3]), grid(32, 32)[:, ::-1]
        >>> attention_similarity_aligned(of([0.1, 0.2, 0.3, 0.4]), flipped, coordinates=[places])
        tensor([1.], dtype=torch.float64)

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eq. (6).
    """
    values = attention_similarity(reference, shifted).clone()  # also checks that they can be compared
    for at, places in enumerate(coordinates):
        if places is not None:
            before, after = _upsample(reference, at), _upsample(shifted, at)
            values[at] = _compare(before, after, places, shifted.field)
    return values


def _upsample(encoding: Encoding, at: int) -> Float64[np.ndarray, "height width"]:
    """Return one map over the field, not stretched."""
    (rows, columns), field = encoding.grid, encoding.field
    attention = torch.empty(0) if encoding.attention is None else encoding.attention
    grid = attention[at].double().mean(dim=0).cpu().numpy().reshape(rows, columns)
    down = make_upsampling_matrix(size=round(field.height), cells=rows)
    across = make_upsampling_matrix(size=round(field.width), cells=columns)
    # As in `upsample_map`: with the smallest value subtracted first, a constant map stays exactly constant.
    return down @ (grid - grid.min()) @ across.T


def _compare(
    before: Float64[np.ndarray, "rows columns"],
    after: Float64[np.ndarray, "rows columns"],
    places: Coordinates,
    field: Field,
) -> float:
    columns, rows = _locate(places, field, shape=before.shape)
    seen = _find_within(columns, size=before.shape[1]) & _find_within(rows, size=before.shape[0])
    moved = cv2.remap(
        before,
        np.where(seen, columns, 0).astype(np.float32),
        np.where(seen, rows, 0).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    one, other = _stretch(moved[seen]), _stretch(after[seen])
    if one is None or other is None:
        return float("nan")
    return 1.0 / (1.0 + float(np.square(one - other).mean()))


def _locate(
    places: Coordinates, field: Field, *, shape: tuple[int, ...]
) -> tuple[Float64[np.ndarray, "rows columns"], Float64[np.ndarray, "rows columns"]]:
    """Return the columns and rows of the original's map that the pixels of the view's map come from."""
    down, across = field.height / shape[0], field.width / shape[1]
    # The image's pixel nearest to each pixel of the map; they are the same if the field is the whole image.
    rows = np.clip(np.rint(field.top + (np.arange(shape[0]) + 0.5) * down - 0.5), 0, places.shape[0] - 1)
    columns = np.clip(
        np.rint(field.left + (np.arange(shape[1]) + 0.5) * across - 0.5), 0, places.shape[1] - 1
    )
    taken = places[rows.astype(int)[:, None], columns.astype(int)].astype(np.float64)
    return (
        (taken[..., 0] + 0.5 - field.left) / across - 0.5,
        (taken[..., 1] + 0.5 - field.top) / down - 0.5,
    )


def _find_within(
    positions: Float64[np.ndarray, "height width"], *, size: int
) -> Bool[np.ndarray, "height width"]:
    """Return which positions lie on the map, up to the outer edge of its pixels; NaN does not."""
    return (positions >= -0.5) & (positions <= size - 0.5)


def _stretch(values: Float64[np.ndarray, " pixels"]) -> Float64[np.ndarray, " pixels"] | None:
    """Stretch values to 0-1; None if they have no contrast to stretch."""
    if not len(values):
        return None
    least, greatest = values.min(), values.max()
    return (values - least) / (greatest - least) if greatest > least else None
