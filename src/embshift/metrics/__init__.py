"""Metrics: functions that compare an image with its views, or two encodings, and return one value per view.

Neither registering a metric nor the modules of pixel metrics import torch: a worker process imports only what
it runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar, Unpack

import numpy as np
from jaxtyping import Float64

from embshift.core.registry import Registry
from embshift.core.types import Capture, Direction, MetricSpec, Pixels, Views

__all__ = [
    "METRICS",
    "PAPER",
    "Kind",
    "Metric",
    "SpecFields",
    "aligned_metric",
    "pair_metric",
    "pixel_metric",
]

PAPER = (
    "Dahal, Murad & Rahimi 2025, Embedding Shift Dissection on CLIP (arXiv 2503.23495), supplement {section}"
)
"""The source of equations (4) to (12); ``PAPER.format(section=…)`` adds the section."""


Kind: TypeAlias = Literal["pixel", "aligned", "pair"]
"""What a metric compares: pixels, pixels with the maps of the views, or encodings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A row of ``embshift list metrics``, and the function that computes it.

    Attributes:
        spec: How the metric states itself; ``spec.needs`` says what must be captured.
        kind: What ``compute`` takes:

            - "pixel": ``(reference: Pixels, shifted: Views, /)``, to a float64 array.
            - "aligned": the same, and ``coordinates``, one map or None per view.
            - "pair": ``(reference: Encoding, shifted: Encoding, /)``, compared row by row, to a float64
              tensor. Where ``spec.needs`` has `Capture.COORDINATES`, it also takes ``coordinates``.
        compute: The function; it returns one value per view.
    """

    spec: MetricSpec
    kind: Kind
    compute: Callable[..., Any]


class SpecFields(TypedDict):
    """The fields of `MetricSpec` that every metric states; the decorator sets ``needs``."""

    name: str
    summary: str
    unit: str
    bounds: tuple[float, float]
    identity: float
    direction: Direction
    blind_to: str
    performance: bool
    reference: str


METRICS: Registry[Metric] = Registry(kind="metric", packages=("embshift.metrics",), group="embshift.metrics")

PixelFunction = TypeVar("PixelFunction", bound=Callable[[Pixels, Views], Float64[np.ndarray, " views"]])
AlignedFunction = TypeVar("AlignedFunction", bound=Callable[..., Any])
PairFunction = TypeVar("PairFunction", bound=Callable[..., Any])


def pixel_metric(**stated: Unpack[SpecFields]) -> Callable[[PixelFunction], PixelFunction]:
    """Register a comparison of one reference image with its views, run in worker processes without torch.

    Args:
        **stated: The fields of `MetricSpec` except ``needs``, which is `Capture.PIXELS`.

    Returns:
        A decorator that returns the function unchanged, so that it can be pickled by its name.

    Raises:
        PlanError: The name is taken.
    """

    def register(function: PixelFunction) -> PixelFunction:
        _add("pixel", MetricSpec(needs=Capture.PIXELS, **stated), function)
        return function

    return register


def aligned_metric(**stated: Unpack[SpecFields]) -> Callable[[AlignedFunction], AlignedFunction]:
    """Register a comparison of an image with its views that takes the coordinate map of each view.

    Args:
        **stated: The fields of `MetricSpec` except ``needs``, which is `Capture.COORDINATES`.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        PlanError: The name is taken.
    """

    def register(function: AlignedFunction) -> AlignedFunction:
        _add("aligned", MetricSpec(needs=Capture.COORDINATES, **stated), function)
        return function

    return register


def pair_metric(*, needs: Capture, **stated: Unpack[SpecFields]) -> Callable[[PairFunction], PairFunction]:
    """Register a comparison of two encodings, row i of the reference with row i of the shifted one.

    Args:
        needs: What the encoder must capture.
        **stated: The other fields of `MetricSpec`.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        PlanError: The name is taken.
    """

    def register(function: PairFunction) -> PairFunction:
        _add("pair", MetricSpec(needs=needs, **stated), function)
        return function

    return register


def _add(kind: Kind, spec: MetricSpec, compute: Callable[..., Any]) -> None:
    METRICS.add(spec.name, Metric(spec=spec, kind=kind, compute=compute))
