"""Edge similarity: how alike the edges of two images are."""

from typing import Any, final

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from embshift.core.types import Direction, Pixels, Views
from embshift.metrics import PAPER, pixel_metric
from embshift.metrics.gray import compute_from_gray, computed_from_gray

__all__ = ["GrayEdge", "edge_similarity"]


@final
class GrayEdge:
    """The computation of `edge_similarity` from one gray image at a time."""

    smallest_side = 2

    def __init__(self) -> None:
        self._maps, self._sums = _EdgeMaps(), list[float]()
        self._before: Any = None
        self._difference: Any = None

    def add(self, gray: Float32[np.ndarray, "height width"], /) -> None:
        """Add the reference, then each view."""
        edges = self._maps.compute(gray)
        if self._before is None:
            self._before = np.multiply(edges, _invert_maximum(edges), dtype=np.float64)
            self._difference = np.empty_like(self._before)
            return
        # In float64: up to here the doubled differences are exact integers. Copying first and then adding
        # values of one type takes half the time of an addition that converts.
        np.copyto(self._difference, edges)
        self._difference = cv2.scaleAdd(
            self._difference, -_invert_maximum(edges), self._before, dst=self._difference
        )
        self._sums.append(cv2.norm(self._difference, cv2.NORM_L1))

    def values(self) -> Float64[np.ndarray, " views"]:
        """Return one value per view."""
        return 1.0 - np.array(self._sums, dtype=np.float64) / self._before.size


@pixel_metric(
    name="edge_similarity",
    summary="absolute difference of the edge maps, each divided by its own maximum",
    unit="1",
    bounds=(0.0, 1.0),
    identity=1.0,
    direction=Direction.HIGHER,
    blind_to="colour at equal gray, overall brightness and overall contrast",
    performance=True,
    reference=PAPER.format(section="A.1.2, eqs. (9)-(11)"),
)
@computed_from_gray(GrayEdge)
def edge_similarity(reference: Pixels, shifted: Views, /) -> Float64[np.ndarray, " views"]:
    """Compute one minus the mean absolute difference of two edge maps.

    ``edge_sim = 1 − mean |E − E′|`` with ``E = (|Gx| + |Gy|) / max``; Gx and Gy are central differences of
    the gray image, one-sided at the border. A map that is zero everywhere stays zero, so a uniform image is
    compared as an image without edges.

    Blind to colour at equal gray and to overall brightness. Each map is divided by its own maximum, so the
    metric is also blind to overall contrast, and one new strong edge weakens all others.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.

    Returns:
        One pure number per view, from 0 to 1 (equal edge maps). NaN where a side is shorter than 2 pixels,
        because then there is no difference to take.

    Example:
        >>> import numpy as np
        >>> ramp = np.arange(16, dtype=np.uint8).reshape(4, 4, 1).repeat(3, axis=2)
        >>> edge_similarity(ramp, np.stack([ramp, 2 * ramp, 0 * ramp]))
        array([1., 1., 0.])

    References:
        Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP, supplement A.1.2, eqs. (9)-(11).
    """
    return compute_from_gray(reference, shifted, metrics=[GrayEdge])[0]


def _invert_maximum(edges: Float32[np.ndarray, "height width"], /) -> float:
    peak = cv2.norm(edges, cv2.NORM_INF)  # no value is negative, and this takes half the time of a maximum
    return 1.0 / peak if peak > 0 else 1.0


class _EdgeMaps:
    """Twice |Gx| + |Gy|, in thousandths of a gray level: the doubled differences are integers.

    Each map overwrites the one before it, as in `iterate_grays`.
    """

    def __init__(self) -> None:
        self._down: Any = None
        self._across: Any = None

    def compute(self, gray: Float32[np.ndarray, "height width"], /) -> Float32[np.ndarray, "height width"]:
        if self._down is None:
            self._down, self._across = np.empty_like(gray), np.empty_like(gray)
        down, across = self._down, self._across
        if gray.shape[0] > 2:
            cv2.absdiff(gray[2:], gray[:-2], dst=down[1:-1])
        if gray.shape[1] > 2:
            cv2.absdiff(gray[:, 2:], gray[:, :-2], dst=across[:, 1:-1])
        for first, second in ((0, 1), (-1, -2)):
            down[first] = 2 * np.abs(gray[first] - gray[second])
            across[:, first] = 2 * np.abs(gray[:, first] - gray[:, second])
        self._down = cv2.add(down, across, dst=down)
        return self._down
