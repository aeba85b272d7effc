"""Device forms of pixel metrics: their sums over pixels, in torch, for many images and views at once.

The sums are sums of integers, so neither the batch nor the kind of device changes them. The few sums of each
view are copied to main memory, where the metric's own last lines compute its value from them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from jaxtyping import Float64, Int64, UInt8

from embshift.core.registry import Registry

__all__ = ["DEVICE_METRICS", "DeviceMetric", "Originals", "Owners", "Sums", "Viewed", "device_metric"]

Originals: TypeAlias = UInt8[torch.Tensor, "images height width 3"]
"""Untouched images, on a device."""

Viewed: TypeAlias = UInt8[torch.Tensor, "views height width 3"]
"""Views of those images, on the same device."""

Owners: TypeAlias = Int64[torch.Tensor, " views"]
"""The index of each view's image."""

Sums: TypeAlias = Mapping[str, Any]
"""Integers by name; the first axis is that of the views."""

Measure: TypeAlias = Callable[[Originals, Viewed, Owners], Sums]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceMetric:
    """A pixel metric that has a device form.

    Attributes:
        name: The metric's name.
        fits: ``(height, width)`` to whether, for images of that size, its sums are exact and it is defined.
        measure: ``(originals, views, owners)`` to sums: tensors by name.
        finish: ``(sums, height=…, width=…)``, the sums as NumPy arrays, to one value per view.
    """

    name: str
    fits: Callable[[int, int], bool]
    measure: Measure
    finish: Callable[..., Float64[np.ndarray, " views"]]


DEVICE_METRICS: Registry[DeviceMetric] = Registry(
    kind="device metric", packages=("embshift.metrics.gpu",), group="embshift.device_metrics"
)

Function = TypeVar("Function", bound=Measure)


def device_metric(
    name: str, /, *, fits: Callable[[int, int], bool], finish: Callable[..., Float64[np.ndarray, " views"]]
) -> Callable[[Function], Function]:
    """Register a function ``(originals, views, owners)`` as the device form of a pixel metric.

    Args:
        name: The metric's name.
        fits: Whether it can compute images of a height and width.
        finish: What computes the values from the sums, in main memory.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        PlanError: The metric already has a device form.
    """

    def register(function: Function) -> Function:
        DEVICE_METRICS.add(name, DeviceMetric(name=name, fits=fits, measure=function, finish=finish))
        return function

    return register
