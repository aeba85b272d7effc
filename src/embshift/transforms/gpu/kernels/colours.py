"""Conversion from RGB to hue, saturation and value and back, equal to OpenCV's in every byte."""

from functools import lru_cache

import cv2
import numpy as np
import torch
from jaxtyping import Int, Int32, UInt8

from embshift.core.device_copy import copy_to_device
from embshift.transforms.gpu.kernels.arrays import Batch

__all__ = ["HUES", "join_hsv", "split_hsv"]

HUES = 180
"""The number of 8-bit hues, which count half degrees in OpenCV."""

_BITS = 12


def split_hsv(
    pixels: Batch,
) -> tuple[Int[torch.Tensor, "views height width"], Int[torch.Tensor, "views height width"]]:
    """Return the hue, 0 to 179, and saturation and value as one number, ``256 saturation + value``.

    All steps are in whole numbers: both divisions are products with OpenCV's tables.
    """
    red, green, blue = pixels.int().unbind(-1)
    value = torch.maximum(torch.maximum(red, green), blue)
    span = value - torch.minimum(torch.minimum(red, green), blue)
    saturation_table, hue_table = _make_division_tables(str(pixels.device))
    saturation = (span * saturation_table[value] + _HALF) >> _BITS
    sector = torch.where(
        value == red,
        green - blue,
        torch.where(value == green, blue - red + 2 * span, red - green + 4 * span),
    )
    hue = (sector * hue_table[span] + _HALF) >> _BITS
    return hue + HUES * (hue < 0), saturation * 256 + value


_HALF = 1 << (_BITS - 1)


def join_hsv(
    hue: Int[torch.Tensor, "views height width"], rest: Int[torch.Tensor, "views height width"]
) -> Batch:
    """Return the colours of hues, saturations and values, given as `split_hsv` returns them.

    OpenCV converts back in floats, which it truncates, and the last bit depends on the processor. So OpenCV
    converts every possible colour once, and the results are looked up.
    """
    return _make_colour_table(str(hue.device))[hue * 65536 + rest]


@lru_cache(maxsize=4)
def _make_colour_table(device: str) -> UInt8[torch.Tensor, "colours 3"]:
    hues = np.empty((HUES * 256, 256, 3), np.uint8)  # 34 MiB
    hues[..., 0] = np.repeat(np.arange(HUES, dtype=np.uint8), 256)[:, None]
    hues[..., 1] = np.tile(np.arange(256, dtype=np.uint8), HUES)[:, None]
    hues[..., 2] = np.arange(256, dtype=np.uint8)
    colours = cv2.cvtColor(hues, cv2.COLOR_HSV2RGB)
    return copy_to_device(torch.as_tensor(np.asarray(colours)), device=device).view(-1, 3)


@lru_cache(maxsize=4)
def _make_division_tables(device: str) -> tuple[Int32[torch.Tensor, " 256"], Int32[torch.Tensor, " 256"]]:
    numbers = np.arange(1, 256)
    tables = [
        np.concatenate([[0], np.rint((full << _BITS) / (parts * numbers))]).astype(np.int32)
        for full, parts in ((255, 1.0), (HUES, 6.0))
    ]
    saturation_table, hue_table = (copy_to_device(torch.as_tensor(table), device=device) for table in tables)
    return saturation_table, hue_table
