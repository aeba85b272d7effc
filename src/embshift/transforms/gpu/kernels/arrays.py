"""Stacking the values of many views into tensors, and rounding numbers to 8-bit levels."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8

from embshift.core.device_copy import copy_to_device
from embshift.transforms.gpu import KernelValues

__all__ = ["Batch", "round_to_levels", "stack_for_pixels", "stack_values"]

Batch: TypeAlias = UInt8[torch.Tensor, "views height width 3"]
"""A batch of images of one size on a device: sRGB, 0-255, channels last."""


def stack_values(
    values: Sequence[KernelValues], name: str, /, *, like: torch.Tensor, dtype: Any = None
) -> Shaped[torch.Tensor, "views ..."]:
    """Stack one value of every view into a tensor on the device of another tensor.

    Args:
        values: The values of every view.
        name: The name of the value.
        like: A tensor on the device.
        dtype: The NumPy type of the result; unchanged if None.
    """
    stacked = np.stack([np.asarray(each[name], dtype=dtype) for each in values])
    return copy_to_device(torch.as_tensor(stacked), device=str(like.device))


def stack_for_pixels(
    values: Sequence[KernelValues], name: str, /, *, like: torch.Tensor, dtype: Any = np.float32
) -> Shaped[torch.Tensor, "views 1 1 1"]:
    """Stack one number of every view, in a shape that broadcasts over a batch of images."""
    return stack_values(values, name, like=like, dtype=dtype)[:, None, None, None]


def round_to_levels(numbers: Float[torch.Tensor, "..."]) -> UInt8[torch.Tensor, "..."]:
    """Round to the nearest level, ties to even, and clip to 0 to 255, as OpenCV does."""
    return numbers.round_().clamp_(0, 255).to(torch.uint8)
