"""Brightness, contrast, colour and blur, drawn: the library's draws, and the numbers that change colours."""

from typing import Any

import numpy as np

from embshift.core.types import Pixels
from embshift.transforms.fast import drawn
from embshift.transforms.gpu import Values, device_form

__all__ = ["blur", "brightness_contrast", "colour_jitter"]

_KERNELS = "embshift.transforms.gpu.kernels.tone"


@device_form("GaussianBlur", closeness="rounding", make=f"{_KERNELS}:blurred")
def blur(leaf: Any, pixels: Pixels) -> tuple[Values, dict[str, Any]]:
    """GaussianBlur."""
    parameters = drawn(leaf, pixels)
    kernel = np.ravel(parameters["kernel"]).astype(np.float32)
    return {"half": kernel[len(kernel) // 2 :]}, parameters


@device_form("RandomBrightnessContrast", closeness="bytes", make=f"{_KERNELS}:lined")
def brightness_contrast(leaf: Any, pixels: Pixels) -> tuple[Values, dict[str, Any]]:
    """RandomBrightnessContrast."""
    parameters = drawn(leaf, pixels)
    return {"factor": np.float32(parameters["alpha"]), "offset": np.float32(parameters["beta"])}, parameters


@device_form(
    "ColorJitter",
    closeness="rounding",
    make=f"{_KERNELS}:jittered",
    fits=lambda leaf: leaf.contrast[0] > 0,
)
def colour_jitter(leaf: Any, pixels: Pixels) -> tuple[Values, dict[str, Any]]:
    """ColorJitter: brightness, contrast, saturation and hue, in the order that was drawn."""
    parameters = drawn(leaf, pixels)
    values = {name: float(parameters[name]) for name in ("brightness", "contrast", "saturation", "hue")}
    return {"order": tuple(int(step) for step in parameters["order"]), **values}, parameters
