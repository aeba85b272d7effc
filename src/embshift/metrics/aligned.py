"""Patches, edges and detail compared where they have gone: what is left once the way of each pixel is known.

The plain metrics ask whether a place looks as before, and so charge a moved image for having moved. These
carry the original along by the map that its transform gives, and compare where there is something to compare:
in the view's own frame, over the pixels that show something of the original. Where no pixel moves they are
the plain metrics. The identity is reached but for the rounding of interpolated colours.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool, Float64

from embshift.core.pixel_maps import carry, find_inside
from embshift.core.types import Coordinates, Direction, Pixels, Views
from embshift.metrics import aligned_metric
from embshift.metrics.detail import detail_similarity
from embshift.metrics.edge import edge_similarity
from embshift.metrics.grid import gray_thousandths
from embshift.metrics.patch import patch_similarity

__all__ = ["detail_similarity_aligned", "edge_similarity_aligned", "patch_similarity_aligned"]

Maps: TypeAlias = Sequence[Coordinates | None]
Seen: TypeAlias = Bool[np.ndarray, "height width"]
Plain: TypeAlias = Callable[[Pixels, Views], Float64[np.ndarray, " views"]]
Compare: TypeAlias = Callable[[Pixels, Pixels, Seen], float]

_OWN = "This package; the plain metric of the paper on images brought into one frame"


@aligned_metric(
    name="patch_similarity_aligned",
    summary="patch similarity after carrying the original along with the transform",
    unit="1",
    bounds=(0.5, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    blind_to="what has left the image, and where inside a cell the colours differ",
    performance=False,
    reference=_OWN,
)
def patch_similarity_aligned(
    reference: Pixels, shifted: Views, /, *, coordinates: Maps = ()
) -> Float64[np.ndarray, " views"]:
    """Mean over the seen cells of a 4x4 grid of ``1 / (1 + MSE / 255²)``, the original carried along.

    ``MSE`` is the mean of ``(P − P′)²`` over the pixels of a cell that show something of the original, P
    being the original as the transform's map carries it. Cells without such a pixel are left out.

    Blind to what has left the image, and to where inside a cell the colours differ.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.
        coordinates: The map of each view; None, or none at all, where no pixel has moved.

    Returns:
        One pure number a view, from 0.5 to 1. NaN where no pixel shows anything of the original, or a side
        is shorter than 4 pixels.

    Example:
        >>> import numpy as np
        >>> from embshift.core.pixel_maps import grid
        >>> image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        >>> flipped, way = image[None, :, ::-1], grid(8, 8)[:, ::-1]
        >>> bool(patch_similarity(image, flipped)[0] < 1)
        True
        >>> patch_similarity_aligned(image, flipped, coordinates=[way])
        array([1.])

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eqs. (7), (8).
    """
    return _compared(reference, shifted, coordinates, plain=patch_similarity, compare=_patches)


@aligned_metric(
    name="edge_similarity_aligned",
    summary="edge similarity after carrying the original along with the transform",
    unit="1",
    bounds=(0.0, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    blind_to="what has left the image, colour at equal gray, overall brightness and contrast",
    performance=False,
    reference=_OWN,
)
def edge_similarity_aligned(
    reference: Pixels, shifted: Views, /, *, coordinates: Maps = ()
) -> Float64[np.ndarray, " views"]:
    """One minus the mean of |E − E′| over the seen pixels, the original carried along.

    ``E = (|Gx| + |Gy|) / max`` as in the plain metric, of the original as the transform's map carries it and
    of the view, each over its own greatest value. Pixels beside one that shows nothing of the original are
    left out: their differences would be the border's.

    Blind to what has left the image, to colour at equal gray, to overall brightness and contrast.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.
        coordinates: The map of each view; None, or none at all, where no pixel has moved.

    Returns:
        One pure number a view, from 0 to 1. NaN where no pixel is left, or a side is shorter than 2 pixels.

    Example:
        >>> import numpy as np
        >>> from embshift.core.pixel_maps import grid
        >>> image = (np.arange(192, dtype=np.uint8) ** 2).reshape(8, 8, 3)
        >>> edge_similarity_aligned(image, image[None, ::-1], coordinates=[grid(8, 8)[::-1]])
        array([1.])

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eqs. (9)-(11).
    """
    return _compared(reference, shifted, coordinates, plain=edge_similarity, compare=_edges)


@aligned_metric(
    name="detail_similarity_aligned",
    summary="detail similarity after carrying the original along with the transform",
    unit="1",
    bounds=(0.0, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    blind_to="what has left the image, what the texture is, and any constant added to it",
    performance=False,
    reference=_OWN,
)
def detail_similarity_aligned(
    reference: Pixels, shifted: Views, /, *, coordinates: Maps = ()
) -> Float64[np.ndarray, " views"]:
    """Mean over the textured cells of an 8x8 grid of exp(−|log(σ′ / σ)|), the original carried along.

    σ and σ′ are standard deviations of gray over the pixels of a cell that show something of the original.
    Cells with σ < 1e-6 gray levels are left out, among them those with fewer than two such pixels.

    Blind to what has left the image, to what the texture is, and to any constant added to it.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.
        coordinates: The map of each view; None, or none at all, where no pixel has moved.

    Returns:
        One pure number a view, from 0 to 1. NaN where no cell is left, or a side is shorter than 8 pixels.

    Example:
        >>> import numpy as np
        >>> from embshift.core.pixel_maps import grid
        >>> image = (np.arange(768) ** 2 % 251).astype(np.uint8).reshape(16, 16, 3)
        >>> detail_similarity_aligned(image, image[None, :, ::-1], coordinates=[grid(16, 16)[:, ::-1]])
        array([1.])

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eq. (12).
    """
    return _compared(reference, shifted, coordinates, plain=detail_similarity, compare=_details)


def _compared(
    reference: Pixels, shifted: Views, coordinates: Maps, *, plain: Plain, compare: Compare
) -> Float64[np.ndarray, " views"]:
    """The plain metric where nothing has moved, else that of the original as it is carried along."""
    values = np.empty(len(shifted))
    for at, (view, way) in enumerate(zip(shifted, coordinates or [None] * len(shifted), strict=True)):
        if way is None:
            values[at] = plain(reference, view[None])[0]
        else:
            seen = find_inside(way, height=reference.shape[0], width=reference.shape[1])
            values[at] = compare(carry(reference, way), view, seen)
    return values


def _cells(height: int, width: int, *, count: int) -> Iterator[tuple[slice, slice]]:
    """The cells of the plain metrics; none where a side is too short for them."""
    down, across = height // count, width // count
    if down and across:
        for at in range(count * count):
            row, column = at // count, at % count
            yield slice(row * down, (row + 1) * down), slice(column * across, (column + 1) * across)


def _patches(reference: Pixels, view: Pixels, seen: Seen) -> float:
    squares = ((reference.astype(np.float32) - view) ** 2).sum(axis=2)  # whole numbers, exact in float32
    errors = [
        squares[cell][seen[cell]].mean(dtype=np.float64) / 3
        for cell in _cells(*seen.shape, count=4)
        if seen[cell].any()
    ]
    return float(np.mean(1 / (1 + np.array(errors) / 255.0**2))) if errors else float("nan")


def _edges(reference: Pixels, view: Pixels, seen: Seen) -> float:
    if min(seen.shape) < 2:
        return float("nan")
    # Outside the image counts as seen: at its sides the differences are one-sided anyway.
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    kept = cv2.erode(seen.astype(np.uint8), cross, borderType=cv2.BORDER_CONSTANT, borderValue=(1,)) > 0
    if not kept.any():
        return float("nan")
    before, after = (_shares(_strengths(pixels)[kept]) for pixels in (reference, view))
    return 1.0 - float(np.abs(before - after).mean())


def _strengths(pixels: Pixels) -> Float64[np.ndarray, "height width"]:
    rows, columns = np.gradient(gray_thousandths(pixels).astype(np.float64))
    return np.abs(rows) + np.abs(columns)


def _shares(edges: Float64[np.ndarray, " pixels"]) -> Float64[np.ndarray, " pixels"]:
    peak = edges.max()
    return edges / peak if peak > 0 else edges


def _details(reference: Pixels, view: Pixels, seen: Seen) -> float:
    before, after = gray_thousandths(reference), gray_thousandths(view)
    ratios = list[float]()
    for cell in _cells(*seen.shape, count=8):
        kept = seen[cell]
        if kept.sum() < 2:
            continue
        one = before[cell][kept].std(dtype=np.float64) / 1000
        other = after[cell][kept].std(dtype=np.float64) / 1000
        if one >= 1e-6:
            ratios.append(min(one, other) / max(one, other))
    return float(np.mean(ratios)) if ratios else float("nan")
