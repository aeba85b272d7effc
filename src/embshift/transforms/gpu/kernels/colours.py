"""Red, green and blue to hue, saturation and value, and back, to the byte as OpenCV does it."""

from functools import lru_cache

import cv2
import numpy as np
import torch
from jaxtyping import Int, Int32, UInt8

from embshift.core.device_copy import copy_to_device
from embshift.transforms.gpu.kernels.arrays import Batch

__all__ = ["HUES", "brought_back", "hues_of"]

HUES = 180
"""OpenCV's 8-bit hue counts half degrees."""

_BITS = 12


def hues_of(
    pixels: Batch,
) -> tuple[Int[torch.Tensor, "views height width"], Int[torch.Tensor, "views height width"]]:
    """The hue, 0 to 179, and saturation and value in one number, ``256 saturation + value``.

    Whole numbers throughout: both divisions are products with the tables that OpenCV has.
    """
    red, green, blue = pixels.int().unbind(-1)
    most = torch.maximum(torch.maximum(red, green), blue)
    span = most - torch.minimum(torch.minimum(red, green), blue)
    saturating, turning = _divisors(str(pixels.device))
    saturation = (span * saturating[most] + _HALF) >> _BITS
    wide = torch.where(
        most == red,
        green - blue,
        torch.where(most == green, blue - red + 2 * span, red - green + 4 * span),
    )
    hue = (wide * turning[span] + _HALF) >> _BITS
    return hue + HUES * (hue < 0), saturation * 256 + most


_HALF = 1 << (_BITS - 1)


def brought_back(
    hue: Int[torch.Tensor, "views height width"], rest: Int[torch.Tensor, "views height width"]
) -> Batch:
    """The colours of hues, saturations and values.

    OpenCV's way back is in floats that it cuts, and its last bit is that of the processor's instructions: so
    it is asked once for every colour that there is, and the answers are looked up.
    """
    return _every_colour(str(hue.device))[hue * 65536 + rest]


@lru_cache(maxsize=4)
def _every_colour(device: str) -> UInt8[torch.Tensor, "colours 3"]:
    hues = np.empty((HUES * 256, 256, 3), np.uint8)  # 34 MiB
    hues[..., 0] = np.repeat(np.arange(HUES, dtype=np.uint8), 256)[:, None]
    hues[..., 1] = np.tile(np.arange(256, dtype=np.uint8), HUES)[:, None]
    hues[..., 2] = np.arange(256, dtype=np.uint8)
    colours = cv2.cvtColor(hues, cv2.COLOR_HSV2RGB)
    return copy_to_device(torch.as_tensor(np.asarray(colours)), device=device).view(-1, 3)


@lru_cache(maxsize=4)
def _divisors(device: str) -> tuple[Int32[torch.Tensor, " 256"], Int32[torch.Tensor, " 256"]]:
    numbers = np.arange(1, 256)
    tables = [
        np.concatenate([[0], np.rint((full << _BITS) / (parts * numbers))]).astype(np.int32)
        for full, parts in ((255, 1.0), (HUES, 6.0))
    ]
    saturating, turning = (copy_to_device(torch.as_tensor(table), device=device) for table in tables)
    return saturating, turning
