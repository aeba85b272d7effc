"""Gray images, and the metrics that are computed from them: one gray image can serve several metrics."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Protocol, TypeAlias, TypeVar, cast, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float32, Float64

from embshift.core.types import Pixels, Views

__all__ = [
    "BeginGray",
    "GrayMetric",
    "compute_from_gray",
    "computed_from_gray",
    "find_gray_form",
    "iterate_grays",
    "to_gray_thousandths",
]

_WEIGHTS = np.array([[299, 587, 114]], dtype=np.float32)

Gray: TypeAlias = Float32[np.ndarray, "height width"]


def to_gray_thousandths(pixels: Pixels, /) -> Gray:
    """Return 0.299 R + 0.587 G + 0.114 B, not rounded, in thousandths of a gray level (0 to 255,000).

    In thousandths every gray is an integer below 2**24, which float32 holds exactly. So differences and sums
    of grays have no rounding error, and a uniform area is exactly uniform.
    """
    return next(iterate_grays([pixels]))


def iterate_grays(images: Iterable[Pixels], /) -> Iterator[Gray]:
    """Yield `to_gray_thousandths` of images of one size; each result overwrites the one before it.

    Allocating new memory for every image would take longer than the arithmetic.
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
class GrayMetric(Protocol):
    """The computation of a metric from gray images, which are added one by one: the reference comes first.

    Attributes:
        smallest_side: Length in pixels of the shortest side for which the metric is defined.
    """

    @property
    def smallest_side(self) -> int: ...

    def add(self, gray: Gray, /) -> None:
        """Add the next image, as `iterate_grays` gives it."""
        ...

    def values(self) -> Float64[np.ndarray, " views"]:
        """Return one value per view, once all images have been added."""
        ...


BeginGray: TypeAlias = Callable[[], GrayMetric]
"""Starts the computation of a metric for one reference and its views."""

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class _GrayForm:
    owner: Callable[..., Any]
    begin: BeginGray


def computed_from_gray(begin: BeginGray, /) -> Callable[[Function], Function]:
    """Declare that a pixel metric computes its values from gray images alone.

    Args:
        begin: Starts the same computation over gray images.

    Returns:
        A decorator that returns the function unchanged, except for the attribute that `find_gray_form` reads.
    """

    def declare(function: Function) -> Function:
        cast(Any, function).gray_form = _GrayForm(owner=function, begin=begin)
        return function

    return declare


def find_gray_form(metric: Callable[..., Any], /) -> BeginGray | None:
    """Return what starts a metric's computation over gray images, or None where it has to be called itself.

    A `functools.partial` without arguments counts as the function inside. A wrapper with a body of its own
    has to be called, because it may change arguments or values: `functools.wraps` copies the declaration to
    it, but not the ownership.
    """
    while isinstance(metric, partial) and not (metric.args or metric.keywords):
        metric = metric.func
    form: _GrayForm | None = getattr(metric, "gray_form", None)
    return form.begin if form is not None and form.owner is metric else None


def compute_from_gray(
    reference: Pixels, shifted: Views, /, *, metrics: Sequence[BeginGray]
) -> list[Float64[np.ndarray, " views"]]:
    """Compute several metrics of one image's views from one gray image of each.

    Args:
        reference: The untouched image, (height, width, 3), uint8 sRGB, 0 to 255.
        shifted: Its views, (views, height, width, 3), uint8 sRGB, 0 to 255.
        metrics: What starts each metric.

    Returns:
        For each metric one value per view; NaN where a side is shorter than `GrayMetric.smallest_side`.
    """
    side, started = min(reference.shape[:2]), [begin() for begin in metrics]
    defined = [metric for metric in started if side >= metric.smallest_side]
    for gray in iterate_grays(chain([reference], shifted)) if defined else ():
        for metric in defined:
            metric.add(gray)
    undefined = np.full(len(shifted), np.nan)
    return [metric.values() if side >= metric.smallest_side else undefined for metric in started]
