"""Brightness, contrast, colour and blur of a batch of views, from the drawn values."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int

from embshift.core.device_copy import copy_to_device
from embshift.transforms.gpu import KernelValues
from embshift.transforms.gpu.kernels.arrays import Batch, round_to_levels, stack_for_pixels, stack_values
from embshift.transforms.gpu.kernels.colours import join_hsv, split_hsv

__all__ = ["adjust_brightness_contrast", "blur", "jitter_colours"]

_WEIGHTS, _BITS = (9798, 19235, 3735), 15
"""OpenCV's whole-number weights of red, green and blue in a grey level, and their bits."""

Column = Float32[torch.Tensor, "views 1 1 1"]


def adjust_brightness_contrast(pixels: Batch, values: Sequence[KernelValues]) -> Batch:
    """Multiply every level by a factor and add an offset."""
    return _map_levels(
        pixels, *(stack_for_pixels(values, name, like=pixels) for name in ("factor", "offset"))
    )


def blur(pixels: Batch, values: Sequence[KernelValues]) -> Batch:
    """Smooth along the rows and then along the columns; images are mirrored at their borders."""
    most = max(len(each["half"]) for each in values)
    halves = [{"half": np.pad(each["half"], (0, most - len(each["half"])))} for each in values]
    half = stack_values(halves, "half", like=pixels)  # (views, most)
    smooth = _smooth(_smooth(pixels.float(), half, dim=2), half, dim=1)
    return round_to_levels(smooth)


def _smooth(
    levels: Float32[torch.Tensor, "views height width 3"],
    half: Float32[torch.Tensor, "views taps"],
    *,
    dim: int,
) -> Float32[torch.Tensor, "views height width 3"]:
    weights = half[:, :, None, None, None].unbind(1)
    length = levels.shape[dim]
    smooth = levels * weights[0]
    for step, weight in enumerate(weights[1:], start=1):
        before, after = (
            levels.index_select(dim, _find_mirrored_places(length, way, like=levels)) for way in (-step, step)
        )
        smooth += before.add_(after).mul_(weight)
    return smooth


def _find_mirrored_places(length: int, step: int, *, like: torch.Tensor) -> Int[torch.Tensor, " places"]:
    """Return the place of each pixel's neighbour; beyond the border, the outermost pixel is not repeated."""
    period = max(2 * (length - 1), 1)
    places = torch.arange(length, device=like.device).add_(step).remainder_(period)
    return torch.minimum(places, period - places) if length > 1 else places * 0


def jitter_colours(pixels: Batch, values: Sequence[KernelValues]) -> Batch:
    """Change brightness, contrast, saturation and hue of each view in the order drawn for it."""
    made = pixels.clone()
    for turn in range(len(_JITTER)):
        for step, (name, unchanged, adjust) in enumerate(_JITTER):
            chosen = [
                at
                for at, each in enumerate(values)
                if each["order"][turn] == step and each[name] != unchanged
            ]
            if chosen:
                index = copy_to_device(torch.as_tensor(chosen), device=str(pixels.device))
                factors = stack_values([values[at] for at in chosen], name, like=pixels, dtype=np.float64)
                made[index] = adjust(made[index], factors)
    return made


def _map_levels(pixels: Batch, factor: Column, offset: Column) -> Batch:
    # Truncated and not rounded, as in the library's table.
    return (pixels.float() * factor).add_(offset).clamp_(0, 255).to(torch.uint8)


def _adjust_brightness(pixels: Batch, factor: torch.Tensor) -> Batch:
    wide = factor.float()[:, None, None, None]
    return _map_levels(pixels, wide, torch.zeros_like(wide))


def _adjust_contrast(pixels: Batch, factor: torch.Tensor) -> Batch:
    grey = _convert_to_grey(pixels)
    mean = grey.sum(dim=(1, 2)).double() / (grey.shape[1] * grey.shape[2])
    offset = (mean * (1 - factor)).float()
    return _map_levels(pixels, factor.float()[:, None, None, None], offset[:, None, None, None])


def _adjust_saturation(pixels: Batch, factor: torch.Tensor) -> Batch:
    wide = factor[:, None, None, None]
    rest = _convert_to_grey(pixels)[..., None].float() * (1 - wide).float()
    # In float64 the product is exact, so that the sum is rounded once, as in OpenCV's fused step.
    return round_to_levels((pixels.double() * wide.float().double()).add_(rest).float())


def _rotate_hue(pixels: Batch, factor: torch.Tensor) -> Batch:
    hue, rest = split_hsv(pixels)
    return join_hsv(torch.remainder(hue + 180 * factor[:, None, None], 180).long(), rest)


def _convert_to_grey(pixels: Batch) -> Int[torch.Tensor, "views height width"]:
    red, green, blue = pixels.int().unbind(-1)
    return (red * _WEIGHTS[0] + green * _WEIGHTS[1] + blue * _WEIGHTS[2] + (1 << (_BITS - 1))) >> _BITS


_JITTER: tuple[tuple[str, float, Callable[[Any, Any], Any]], ...] = (
    ("brightness", 1.0, _adjust_brightness),
    ("contrast", 1.0, _adjust_contrast),
    ("saturation", 1.0, _adjust_saturation),
    ("hue", 0.0, _rotate_hue),
)
