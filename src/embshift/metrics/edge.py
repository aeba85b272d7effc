"""Edge similarity: how alike the outlines are."""

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from embshift.metrics import PAPER, pixel_metric
from embshift.metrics.cells import gray_thousandths
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
    before = edge_map(reference)
    sums = [cv2.norm(before, edge_map(view), cv2.NORM_L1) for view in shifted]
    return 1.0 - np.array(sums, dtype=np.float64) / before.size


def edge_map(pixels: Pixels, /) -> Float64[np.ndarray, "height width"]:
    """|Gx| + |Gy| over its own maximum, 0 to 1; zero everywhere for a uniform picture."""
    gray = gray_thousandths(pixels)
    edges = _doubled_differences(gray) + _doubled_differences(gray.T).T
    peak = float(edges.max())
    # Into float64 here: the doubled differences are exact integers up to this point.
    return np.multiply(edges, 1.0 / peak if peak > 0 else 1.0, dtype=np.float64)


def _doubled_differences(gray: Float32[np.ndarray, "height width"], /) -> Float32[np.ndarray, "height width"]:
    """Twice the absolute differences along the columns: doubled, they stay integers."""
    differences = np.empty_like(gray)
    np.subtract(gray[2:], gray[:-2], out=differences[1:-1])
    differences[0] = 2 * (gray[1] - gray[0])
    differences[-1] = 2 * (gray[-1] - gray[-2])
    return np.abs(differences, out=differences)
