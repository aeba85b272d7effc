"""Brightness, contrast, colour and blur: the library's draws, and the fastest way to the same bytes."""

from typing import Any

import cv2
import numpy as np
from albucore import sz_lut

from embshift.core.types import Pixels
from embshift.transforms.albumentations.forms import draw_parameters
from embshift.transforms.fast import fast_form

__all__ = ["adjust_brightness_contrast", "blur", "jitter_colours"]


@fast_form("GaussianBlur", closeness="bytes")
def blur(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """Make the view of GaussianBlur."""
    parameters = draw_parameters(leaf, pixels)
    kernel = parameters["kernel"]
    return np.asarray(cv2.sepFilter2D(pixels, -1, kernel, kernel), dtype=np.uint8), parameters


@fast_form("RandomBrightnessContrast", closeness="bytes")
def adjust_brightness_contrast(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """Make the view of RandomBrightnessContrast."""
    parameters = draw_parameters(leaf, pixels)
    return _map_levels(pixels, parameters["alpha"], parameters["beta"]), parameters


@fast_form("ColorJitter", closeness="bytes", fits=lambda leaf: leaf.contrast[0] > 0)
def jitter_colours(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """Make the view of ColorJitter: brightness, contrast, saturation and hue, in the drawn order."""
    parameters = draw_parameters(leaf, pixels)
    for step in parameters["order"]:
        name, adjust = _JITTER[step]
        if parameters[name] != _UNCHANGED[name]:
            pixels = adjust(pixels, parameters[name])
    return pixels, parameters


def _map_levels(pixels: Pixels, factor: float, offset: float) -> Pixels:
    levels = np.arange(256, dtype=np.float32) * np.float32(factor) + np.float32(offset)
    table = np.clip(levels, 0, 255).astype(np.uint8)
    return sz_lut(pixels, table, inplace=False)


def _adjust_brightness(pixels: Pixels, factor: float) -> Pixels:
    return _map_levels(pixels, factor, 0.0)


def _adjust_contrast(pixels: Pixels, factor: float) -> Pixels:
    mean = float(np.mean(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)))
    return _map_levels(pixels, factor, mean * (1 - factor))


def _adjust_saturation(pixels: Pixels, factor: float) -> Pixels:
    grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(pixels, factor, grey, 1 - factor, gamma=0), dtype=np.uint8)


def _rotate_hue(pixels: Pixels, factor: float) -> Pixels:
    # OpenCV's 8-bit hue counts half degrees, 0 to 179.
    hues = np.mod(np.arange(256, dtype=np.int16) + 180 * factor, 180).astype(np.uint8)
    colours = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    cv2.insertChannel(sz_lut(cv2.extractChannel(colours, 0), hues, inplace=True), colours, 0)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB), dtype=np.uint8)


_JITTER = (
    ("brightness", _adjust_brightness),
    ("contrast", _adjust_contrast),
    ("saturation", _adjust_saturation),
    ("hue", _rotate_hue),
)
_UNCHANGED = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
