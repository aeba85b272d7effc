"""A image as gray cells or colour cells: what the pixel metrics share."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from embshift.core.types import Pixels, Views

__all__ = ["OfGray", "cell_places", "colour_cells", "gray_thousandths", "grays", "over_grays"]

_WEIGHTS = np.array([[299, 587, 114]], dtype=np.float32)


def gray_thousandths(pixels: Pixels, /) -> Float32[np.ndarray, "height width"]:
    """0.299 R + 0.587 G + 0.114 B, not rounded, in thousandths of a gray level (0 to 255,000).

    In thousandths every gray is an integer below 2**24, which float32 holds exactly: differences and sums
    of it carry no rounding, so a uniform area is exactly uniform.
    """
    return next(grays([pixels]))


def grays(images: Iterable[Pixels], /) -> Iterator[Float32[np.ndarray, "height width"]]:
    """`gray_thousandths` of images of one size, each in the memory of the one before it.

    To be handed new memory for every image takes longer than the arithmetic.
    """
    floats: Any = None
    gray: Any = None
    for image in images:
        if floats is None:
            floats, gray = np.empty(image.shape, np.float32), np.empty(image.shape[:2], np.float32)
        np.copyto(floats, image)
        gray = cv2.transform(floats, _WEIGHTS, dst=gray)
        yield gray


@runtime_checkable
class OfGray(Protocol):
    """A metric of gray images, which come one by one: the reference first, then its views.

    Attributes:
        least: Pixels of the shortest side for which it is defined.
    """

    @property
    def least(self) -> int: ...

    def add(self, gray: Float32[np.ndarray, "height width"], /) -> None:
        """The next image, as `grays` gives it."""
        ...

    def values(self) -> Float64[np.ndarray, " views"]:
        """One value a view, when all have come."""
        ...


def over_grays(
    reference: Pixels, shifted: Views, /, *, metrics: Sequence[Callable[[], OfGray]]
) -> list[Float64[np.ndarray, " views"]]:
    """Metrics of an image's views, all from one gray of each.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.
        metrics: What begins each metric.

    Returns:
        For each metric one value a view; NaN where a side is shorter than `OfGray.least`.
    """
    side, started = min(reference.shape[:2]), [metric() for metric in metrics]
    taken = [metric for metric in started if side >= metric.least]
    for gray in grays(chain([reference], shifted)) if taken else ():
        for metric in taken:
            metric.add(gray)
    none = np.full(len(shifted), np.nan)
    return [metric.values() if side >= metric.least else none for metric in started]


def colour_cells(pixels: Pixels, /, *, count: int) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """The count by count cells of an image, row by row; integer division, the remainder is dropped."""
    yield from (pixels[place] for place in cell_places(*pixels.shape[:2], count=count))


def cell_places(height: int, width: int, /, *, count: int) -> list[tuple[slice, slice]]:
    """Where the count by count cells of an image lie, row by row."""
    high, wide = height // count, width // count
    return [
        (slice(row * high, (row + 1) * high), slice(column * wide, (column + 1) * wide))
        for row in range(count)
        for column in range(count)
    ]
