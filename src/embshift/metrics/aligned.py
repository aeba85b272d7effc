"""Patch, edge and detail similarity with the original moved along the transform.

The unaligned metrics compare an image with its view place by place, so they also measure that pixels moved.
The aligned metrics first move the original along the coordinate map of the view's transform. Then they
compare in the view's frame, over the pixels that show something of the original. Where no pixel moves, they
equal the unaligned metrics. For a view that only moves the image they reach the identity value, except for
the rounding of interpolated colours.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import cv2
import numpy as np
from jaxtyping import Bool, Float64

from embshift.core.pixel_maps import carry, find_inside
from embshift.core.types import Coordinates, Direction, Pixels, Views
from embshift.metrics import aligned_metric
from embshift.metrics.detail import detail_similarity
from embshift.metrics.edge import edge_similarity
from embshift.metrics.gray import to_gray_thousandths
from embshift.metrics.patch import patch_similarity, slice_cells

__all__ = ["detail_similarity_aligned", "edge_similarity_aligned", "patch_similarity_aligned"]

Maps: TypeAlias = Sequence[Coordinates | None]
Seen: TypeAlias = Bool[np.ndarray, "height width"]
Unaligned: TypeAlias = Callable[[Pixels, Views], Float64[np.ndarray, " views"]]
Aligned: TypeAlias = Callable[[Pixels, Pixels, Seen], float]

_OWN = "This package; the metric of the paper on images brought into one frame"


@aligned_metric(
    name="patch_similarity_aligned",
    summary="patch similarity after moving the original along the transform",
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
    """Compute the mean of ``1 / (1 + MSE / 255²)`` over the seen cells of a 4x4 grid, with aligned pixels.

    P is the original moved along the transform's map. ``MSE`` is the mean of ``(P − P′)²`` over the pixels
    of a cell that show something of the original. Cells without such a pixel are left out.

    Blind to what has left the image, and to where inside a cell the colours differ.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.
        coordinates: The coordinate map of each view; None for a view, or an empty sequence for all, where no
            pixel has moved.

    Returns:
        One pure number per view, from 0.5 to 1. NaN where no pixel shows anything of the original, or where a
        side is shorter than 4 pixels.

    Example:
        >>> import numpy as np
        >>> from embshift.core.pixel_maps import grid
        >>> image = np.arange(192, dtype=np.uint8).reshape(8, 8, 3)
        >>> flipped, places = image[None, :, ::-1], grid(8, 8)[:, ::-1]
        >>> bool(patch_similarity(image, flipped)[0] < 1)
        True
        >>> patch_similarity_aligned(image, flipped, coordinates=[places])
        array([1.])

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eqs. (7), (8).
    """
    return _compare(reference, shifted, coordinates, unaligned=patch_similarity, aligned=_compare_patches)


@aligned_metric(
    name="edge_similarity_aligned",
    summary="edge similarity after moving the original along the transform",
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
    """Compute one minus the mean of |E − E′| over the seen pixels, with the original aligned.

    ``E = (|Gx| + |Gy|) / max`` as in `edge_similarity`: E of the original moved along the transform's map, E′
    of the view, each divided by its own maximum. Pixels next to a pixel that shows nothing of the original
    are left out, because their differences would be those of the border.

    Blind to what has left the image, to colour at equal gray, to overall brightness and contrast.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.
        coordinates: The coordinate map of each view; None for a view, or an empty sequence for all, where no
            pixel has moved.

    Returns:
        One pure number per view, from 0 to 1. NaN where no pixel is left, or where a side is shorter than 2
        pixels.

    Example:
        >>> import numpy as np
        >>> from embshift.core.pixel_maps import grid
        >>> image = (np.arange(192, dtype=np.uint8) ** 2).reshape(8, 8, 3)
        >>> edge_similarity_aligned(image, image[None, ::-1], coordinates=[grid(8, 8)[::-1]])
        array([1.])

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eqs. (9)-(11).
    """
    return _compare(reference, shifted, coordinates, unaligned=edge_similarity, aligned=_compare_edges)


@aligned_metric(
    name="detail_similarity_aligned",
    summary="detail similarity after moving the original along the transform",
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
    """Compute the mean of exp(−|log(σ′ / σ)|) over the textured cells of an 8x8 grid, with aligned pixels.

    σ and σ′ are standard deviations of gray over the pixels of a cell that show something of the original.
    Cells with σ < 1e-6 gray levels are left out, and so are cells with fewer than two such pixels.

    Blind to what has left the image, to what the texture is, and to any constant added to it.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.
        coordinates: The coordinate map of each view; None for a view, or an empty sequence for all, where no
            pixel has moved.

    Returns:
        One pure number per view, from 0 to 1. NaN where no cell is left, or where a side is shorter than 8
        pixels.

    Example:
        >>> import numpy as np
        >>> from embshift.core.pixel_maps import grid
        >>> image = (np.arange(768) ** 2 % 251).astype(np.uint8).reshape(16, 16, 3)
        >>> detail_similarity_aligned(image, image[None, :, ::-1], coordinates=[grid(16, 16)[:, ::-1]])
        array([1.])

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eq. (12).
    """
    return _compare(reference, shifted, coordinates, unaligned=detail_similarity, aligned=_compare_details)


def _compare(
    reference: Pixels, shifted: Views, coordinates: Maps, *, unaligned: Unaligned, aligned: Aligned
) -> Float64[np.ndarray, " views"]:
    """Return the unaligned metric of views that have not moved, and the aligned one of the others."""
    values = np.empty(len(shifted))
    for at, (view, places) in enumerate(zip(shifted, coordinates or [None] * len(shifted), strict=True)):
        if places is None:
            values[at] = unaligned(reference, view[None])[0]
        else:
            seen = find_inside(places, height=reference.shape[0], width=reference.shape[1])
            values[at] = aligned(carry(reference, places), view, seen)
    return values


def _compare_patches(moved: Pixels, view: Pixels, seen: Seen) -> float:
    squares = ((moved.astype(np.float32) - view) ** 2).sum(axis=2)  # integers, exact in float32
    errors = [
        squares[cell][seen[cell]].mean(dtype=np.float64) / 3
        for cell in slice_cells(*seen.shape, count=4)
        if seen[cell].any()
    ]
    return float(np.mean(1 / (1 + np.array(errors) / 255.0**2))) if errors else float("nan")


def _compare_edges(moved: Pixels, view: Pixels, seen: Seen) -> float:
    if min(seen.shape) < 2:
        return float("nan")
    # Outside the image counts as seen: differences at the image's sides are one-sided anyway.
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    kept = cv2.erode(seen.astype(np.uint8), cross, borderType=cv2.BORDER_CONSTANT, borderValue=(1,)) > 0
    if not kept.any():
        return float("nan")
    before, after = (_divide_by_maximum(_compute_edges(pixels)[kept]) for pixels in (moved, view))
    return 1.0 - float(np.abs(before - after).mean())


def _compute_edges(pixels: Pixels) -> Float64[np.ndarray, "height width"]:
    rows, columns = np.gradient(to_gray_thousandths(pixels).astype(np.float64))
    return np.abs(rows) + np.abs(columns)


def _divide_by_maximum(edges: Float64[np.ndarray, " pixels"]) -> Float64[np.ndarray, " pixels"]:
    peak = edges.max()
    return edges / peak if peak > 0 else edges


def _compare_details(moved: Pixels, view: Pixels, seen: Seen) -> float:
    before, after = to_gray_thousandths(moved), to_gray_thousandths(view)
    ratios = list[float]()
    for cell in slice_cells(*seen.shape, count=8):
        kept = seen[cell]
        if kept.sum() < 2:
            continue
        one = before[cell][kept].std(dtype=np.float64) / 1000
        other = after[cell][kept].std(dtype=np.float64) / 1000
        if one >= 1e-6:
            ratios.append(min(one, other) / max(one, other))
    return float(np.mean(ratios)) if ratios else float("nan")
