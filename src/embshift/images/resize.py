"""Resizing: the base transform of Algorithm 1 brings every image to one size before anything else."""

import cv2
import numpy as np
from jaxtyping import UInt8

from embshift.core.types import Pixels

__all__ = ["RESIZE_RULES", "resize"]

RESIZE_RULES = {
    "linear": cv2.INTER_LINEAR,
    "area": cv2.INTER_AREA,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
    "nearest": cv2.INTER_NEAREST_EXACT,
}
"""Interpolation rules by name. ``linear`` is the paper's (OpenCV's bilinear, without antialiasing)."""


def resize(pixels: Pixels, /, *, size: tuple[int, int], rule: str) -> UInt8[np.ndarray, "rows columns 3"]:
    """Resize an image; its aspect ratio is not kept, as in Algorithm 1.

    Args:
        pixels: The image.
        size: Height and width of the result, in pixels.
        rule: A key of `RESIZE_RULES`.

    Returns:
        The image at that size; a copy if it already has that size.
    """
    height, width = size
    if pixels.shape[:2] == size:
        return pixels.copy()
    resized = cv2.resize(pixels, (width, height), interpolation=RESIZE_RULES[rule])
    return np.ascontiguousarray(resized, dtype=np.uint8)
