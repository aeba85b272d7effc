"""Values of many views as one tensor, and colours that stay colours."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8

from embshift.core.device_copy import copy_to_device
from embshift.transforms.gpu import Values

__all__ = ["Batch", "as_levels", "column", "together"]

Batch: TypeAlias = UInt8[torch.Tensor, "views height width 3"]
"""A batch of pictures of one size on a device: sRGB, 0-255, channels last."""


def together(
    values: Sequence[Values], name: str, /, *, like: torch.Tensor, dtype: Any = None
) -> Shaped[torch.Tensor, "views ..."]:
    """One value of every view, stacked, on the device of another tensor.

    Args:
        values: Of every view.
        name: Which.
        like: What is on the device.
        dtype: Of NumPy; as it is where None.
    """
    stacked = np.stack([np.asarray(each[name], dtype=dtype) for each in values])
    return copy_to_device(torch.as_tensor(stacked), device=str(like.device))


def column(
    values: Sequence[Values], name: str, /, *, like: torch.Tensor, dtype: Any = np.float32
) -> Shaped[torch.Tensor, "views 1 1 1"]:
    """One number of every view, shaped to meet pictures."""
    return together(values, name, like=like, dtype=dtype)[:, None, None, None]


def as_levels(numbers: Float[torch.Tensor, "..."]) -> UInt8[torch.Tensor, "..."]:
    """Rounded to the nearest level, to even at a tie, and cut to 0 to 255, as OpenCV does."""
    return numbers.round_().clamp_(0, 255).to(torch.uint8)
