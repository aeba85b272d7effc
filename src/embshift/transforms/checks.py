"""Checking what a transform returns: pixels of the same shape and type as the image it was given."""

from typing import Any, cast

import numpy as np

from embshift.core.errors import TransformError
from embshift.core.types import Pixels

__all__ = ["check_pixels"]


def check_pixels(result: Any, *, shape: tuple[int, ...]) -> Pixels:
    """Return a transform's result as C-contiguous pixels.

    Args:
        result: What a transform returned.
        shape: Height, width and 3: the shape of the image that it was given.

    Raises:
        TransformError: If it is not a uint8 array of that shape.
    """
    if isinstance(result, np.ndarray):
        pixels = cast(np.ndarray, result)
        if pixels.dtype == np.uint8 and pixels.shape == shape:
            return np.ascontiguousarray(pixels)
    raise TransformError(
        f"returned {_describe(result)}; expected a uint8 array of shape {shape}, "
        "since a transform must keep the image's size and type"
    )


def _describe(result: Any) -> str:
    if isinstance(result, np.ndarray):
        array = cast(np.ndarray, result)
        return f"a {array.dtype} array of shape {array.shape}"
    return f"an object of type {type(result).__name__}"
