"""Drawing halves for brightness, contrast, colour and blur: the library's draws, as a few numbers."""

from typing import Any

import numpy as np

from embshift.core.types import Pixels
from embshift.transforms.albumentations.forms import draw_parameters
from embshift.transforms.gpu import KernelValues, device_form

__all__ = ["draw_blur", "draw_brightness_contrast", "draw_colour_jitter"]

_KERNELS = "embshift.transforms.gpu.kernels.tone"


@device_form("GaussianBlur", closeness="rounding", make=f"{_KERNELS}:blur")
def draw_blur(leaf: Any, pixels: Pixels) -> tuple[KernelValues, dict[str, Any]]:
    """Draw GaussianBlur: one half of the kernel."""
    parameters = draw_parameters(leaf, pixels)
    kernel = np.ravel(parameters["kernel"]).astype(np.float32)
    return {"half": kernel[len(kernel) // 2 :]}, parameters


@device_form("RandomBrightnessContrast", closeness="bytes", make=f"{_KERNELS}:adjust_brightness_contrast")
def draw_brightness_contrast(leaf: Any, pixels: Pixels) -> tuple[KernelValues, dict[str, Any]]:
    """Draw RandomBrightnessContrast: a factor and an offset."""
    parameters = draw_parameters(leaf, pixels)
    return {"factor": np.float32(parameters["alpha"]), "offset": np.float32(parameters["beta"])}, parameters


@device_form(
    "ColorJitter",
    closeness="rounding",
    make=f"{_KERNELS}:jitter_colours",
    fits=lambda leaf: leaf.contrast[0] > 0,
)
def draw_colour_jitter(leaf: Any, pixels: Pixels) -> tuple[KernelValues, dict[str, Any]]:
    """Draw ColorJitter: brightness, contrast, saturation and hue, and their order."""
    parameters = draw_parameters(leaf, pixels)
    values = {name: float(parameters[name]) for name in ("brightness", "contrast", "saturation", "hue")}
    return {"order": tuple(int(step) for step in parameters["order"]), **values}, parameters
