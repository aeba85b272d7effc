"""Brightness, contrast, colour and blur: the library's draws, and the shortest way to the same bytes."""

from typing import Any

import cv2
import numpy as np
from albucore import sz_lut

from embshift.core.types import Pixels
from embshift.transforms.fast import drawn, fast_form

__all__ = ["blur", "brightness_contrast", "colour_jitter"]


@fast_form("GaussianBlur", closeness="bytes")
def blur(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """GaussianBlur."""
    parameters = drawn(leaf, pixels)
    kernel = parameters["kernel"]
    return np.asarray(cv2.sepFilter2D(pixels, -1, kernel, kernel), dtype=np.uint8), parameters


@fast_form("RandomBrightnessContrast", closeness="bytes")
def brightness_contrast(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """RandomBrightnessContrast."""
    parameters = drawn(leaf, pixels)
    return _line(pixels, parameters["alpha"], parameters["beta"]), parameters


@fast_form("ColorJitter", closeness="bytes", fits=lambda leaf: leaf.contrast[0] > 0)
def colour_jitter(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """ColorJitter: brightness, contrast, saturation and hue, in the order that was drawn."""
    parameters = drawn(leaf, pixels)
    for step in parameters["order"]:
        name, change = _JITTER[step]
        if parameters[name] != _UNCHANGED[name]:
            pixels = change(pixels, parameters[name])
    return pixels, parameters


def _line(pixels: Pixels, factor: float, offset: float) -> Pixels:
    levels = np.arange(256, dtype=np.float32) * np.float32(factor) + np.float32(offset)
    table = np.clip(levels, 0, 255).astype(np.uint8)
    return sz_lut(pixels, table, inplace=False)


def _brightened(pixels: Pixels, factor: float) -> Pixels:
    return _line(pixels, factor, 0.0)


def _contrasted(pixels: Pixels, factor: float) -> Pixels:
    mean = float(np.mean(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)))
    return _line(pixels, factor, mean * (1 - factor))


def _saturated(pixels: Pixels, factor: float) -> Pixels:
    gray = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.addWeighted(pixels, factor, gray, 1 - factor, gamma=0), dtype=np.uint8)


def _turned(pixels: Pixels, factor: float) -> Pixels:
    # OpenCV's 8-bit hue counts half degrees, 0 to 179.
    hues = np.mod(np.arange(256, dtype=np.int16) + 180 * factor, 180).astype(np.uint8)
    colours = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    cv2.insertChannel(sz_lut(cv2.extractChannel(colours, 0), hues, inplace=True), colours, 0)
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_HSV2RGB), dtype=np.uint8)


_JITTER = (
    ("brightness", _brightened),
    ("contrast", _contrasted),
    ("saturation", _saturated),
    ("hue", _turned),
)
_UNCHANGED = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0}
