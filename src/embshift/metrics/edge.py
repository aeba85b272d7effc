"""Edge similarity: how alike the outlines are."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from embshift.metrics import PAPER, pixel_metric
from embshift.metrics.cells import grays
from embshift.types import Direction, Pixels, Views

__all__ = ["edge_map", "edge_similarity"]


@pixel_metric(
    name="edge_similarity",
    summary="absolute difference of the edge maps, each over its own maximum",
    unit="1",
    bounds=(0.0, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    blind_to="colour at equal gray, overall brightness and overall contrast",
    performance=True,
    reference=PAPER.format(section="A.1.2, eqs. (9)-(11)"),
)
def edge_similarity(reference: Pixels, shifted: Views, /) -> Float64[np.ndarray, " views"]:
    """One minus the mean absolute difference of two edge maps.

    ``edge_sim = 1 − mean |E − E′|`` with ``E = (|Gx| + |Gy|) / max``; Gx and Gy are central differences of
    the gray picture, one-sided at the border. A map that is zero everywhere stays zero, so a uniform
    picture is compared as one without edges.

    Blind to colour at equal gray, to overall brightness and, since each map is taken over its own maximum,
    to overall contrast; one new strong edge dims all others.

    Args:
        reference: The untouched picture, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.

    Returns:
        One pure number a view, from 0 to 1 (equal edge maps). NaN where a side is shorter than 2 pixels:
        there is no difference to take.

    Example:
        >>> import numpy as np
        >>> ramp = np.arange(16, dtype=np.uint8).reshape(4, 4, 1).repeat(3, axis=2)
        >>> edge_similarity(ramp, np.stack([ramp, 2 * ramp, 0 * ramp]))
        array([1., 1., 0.])

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eqs. (9)-(11).
    """
    if min(reference.shape[:2]) < 2:
        return np.full(len(shifted), np.nan)
    maps = _edges(chain([reference], shifted))
    first = next(maps)
    before = np.multiply(first, _over_maximum(first), dtype=np.float64)
    difference: Any = np.empty_like(before)
    sums = list[float]()
    for after in maps:
        # In float64: the doubled differences are exact integers up to this point. A copy, then a sum of one
        # type, takes half the time of a sum that converts.
        np.copyto(difference, after)
        difference = cv2.scaleAdd(difference, -_over_maximum(after), before, dst=difference)
        sums.append(cv2.norm(difference, cv2.NORM_L1))
    return 1.0 - np.array(sums, dtype=np.float64) / before.size


def edge_map(pixels: Pixels, /) -> Float64[np.ndarray, "height width"]:
    """|Gx| + |Gy| over its own maximum, 0 to 1; zero everywhere for a uniform picture."""
    edges = next(_edges([pixels]))
    return np.multiply(edges, _over_maximum(edges), dtype=np.float64)


def _over_maximum(edges: Float32[np.ndarray, "height width"], /) -> float:
    peak = float(edges.max())
    return 1.0 / peak if peak > 0 else 1.0


def _edges(pictures: Iterable[Pixels], /) -> Iterator[Float32[np.ndarray, "height width"]]:
    """Twice |Gx| + |Gy|, in thousandths of a gray level: doubled, the differences stay integers.

    Each in the memory of the one before it, as `grays` are.
    """
    down: Any = None
    across: Any = None
    for gray in grays(pictures):
        if down is None:
            down, across = np.empty_like(gray), np.empty_like(gray)
        if gray.shape[0] > 2:
            cv2.absdiff(gray[2:], gray[:-2], dst=down[1:-1])
        if gray.shape[1] > 2:
            cv2.absdiff(gray[:, 2:], gray[:, :-2], dst=across[:, 1:-1])
        for first, second in ((0, 1), (-1, -2)):
            down[first] = 2 * np.abs(gray[first] - gray[second])
            across[:, first] = 2 * np.abs(gray[:, first] - gray[:, second])
        down = cv2.add(down, across, dst=down)
        yield down
