"""What a transform must give: a picture of the shape and type of the one that went in."""

from typing import Any, cast

import numpy as np

from embshift.core.errors import TransformError
from embshift.core.types import Pixels

__all__ = ["checked"]


def checked(result: Any, *, shape: tuple[int, ...]) -> Pixels:
    """The result as C-contiguous pixels.

    Args:
        result: What a transform gave.
        shape: Height, width and 3: what went in.

    Raises:
        TransformError: It is not a uint8 array of that shape.
    """
    if isinstance(result, np.ndarray):
        pixels = cast(np.ndarray, result)
        if pixels.dtype == np.uint8 and pixels.shape == shape:
            return np.ascontiguousarray(pixels)
    raise TransformError(
        f"gave {_described(result)}, wanted a uint8 array of shape {shape}; "
        "a transform must keep the picture's size and type"
    )


def _described(result: Any) -> str:
    if isinstance(result, np.ndarray):
        array = cast(np.ndarray, result)
        return f"a {array.dtype} array of shape {array.shape}"
    return f"an object of type {type(result).__name__}"
