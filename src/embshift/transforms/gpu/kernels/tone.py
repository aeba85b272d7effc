"""Brightness, contrast, colour and blur over a batch, from what was drawn."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Int

from embshift.core.device_copy import copy_to_device
from embshift.transforms.gpu import Values
from embshift.transforms.gpu.kernels.arrays import Batch, as_levels, column, together
from embshift.transforms.gpu.kernels.colours import brought_back, hues_of

__all__ = ["blurred", "jittered", "lined"]

_WEIGHTS, _BITS = (9798, 19235, 3735), 15
"""Red, green and blue in a gray level, in whole numbers as OpenCV has them."""

Column = Float32[torch.Tensor, "views 1 1 1"]


def lined(pixels: Batch, values: Sequence[Values]) -> Batch:
    """Every level times a factor, plus an offset."""
    return _line(pixels, *(column(values, name, like=pixels) for name in ("factor", "offset")))


def blurred(pixels: Batch, values: Sequence[Values]) -> Batch:
    """Smoothed along the rows and then along the columns; the picture is mirrored at its border."""
    most = max(len(each["half"]) for each in values)
    halves = [{"half": np.pad(each["half"], (0, most - len(each["half"])))} for each in values]
    half = together(halves, "half", like=pixels)  # (views, most)
    smooth = _smoothed(_smoothed(pixels.float(), half, dim=2), half, dim=1)
    return as_levels(smooth)


def _smoothed(
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
            levels.index_select(dim, _mirrored(length, way, like=levels)) for way in (-step, step)
        )
        smooth += before.add_(after).mul_(weight)
    return smooth


def _mirrored(length: int, step: int, *, like: torch.Tensor) -> Int[torch.Tensor, " places"]:
    """Where each pixel's neighbour is, the outermost pixel not repeated."""
    period = max(2 * (length - 1), 1)
    places = torch.arange(length, device=like.device).add_(step).remainder_(period)
    return torch.minimum(places, period - places) if length > 1 else places * 0


def jittered(pixels: Batch, values: Sequence[Values]) -> Batch:
    """Brightness, contrast, saturation and hue, each view in the order that was drawn for it."""
    made = pixels.clone()
    for turn in range(len(_JITTER)):
        for step, (name, unchanged, change) in enumerate(_JITTER):
            chosen = [
                at
                for at, each in enumerate(values)
                if each["order"][turn] == step and each[name] != unchanged
            ]
            if chosen:
                index = copy_to_device(torch.as_tensor(chosen), device=str(pixels.device))
                factors = together([values[at] for at in chosen], name, like=pixels, dtype=np.float64)
                made[index] = change(made[index], factors)
    return made


def _line(pixels: Batch, factor: Column, offset: Column) -> Batch:
    # Cut and not rounded, as the library's table is.
    return (pixels.float() * factor).add_(offset).clamp_(0, 255).to(torch.uint8)


def _brightened(pixels: Batch, factor: torch.Tensor) -> Batch:
    wide = factor.float()[:, None, None, None]
    return _line(pixels, wide, torch.zeros_like(wide))


def _contrasted(pixels: Batch, factor: torch.Tensor) -> Batch:
    gray = _gray(pixels)
    mean = gray.sum(dim=(1, 2)).double() / (gray.shape[1] * gray.shape[2])
    offset = (mean * (1 - factor)).float()
    return _line(pixels, factor.float()[:, None, None, None], offset[:, None, None, None])


def _saturated(pixels: Batch, factor: torch.Tensor) -> Batch:
    wide = factor[:, None, None, None]
    rest = _gray(pixels)[..., None].float() * (1 - wide).float()
    # In float64 the product is exact, so that the sum is rounded once, as OpenCV fuses them.
    return as_levels((pixels.double() * wide.float().double()).add_(rest).float())


def _turned(pixels: Batch, factor: torch.Tensor) -> Batch:
    hue, rest = hues_of(pixels)
    return brought_back(torch.remainder(hue + 180 * factor[:, None, None], 180).long(), rest)


def _gray(pixels: Batch) -> Int[torch.Tensor, "views height width"]:
    red, green, blue = pixels.int().unbind(-1)
    return (red * _WEIGHTS[0] + green * _WEIGHTS[1] + blue * _WEIGHTS[2] + (1 << (_BITS - 1))) >> _BITS


_JITTER: tuple[tuple[str, float, Callable[[Any, Any], Any]], ...] = (
    ("brightness", 1.0, _brightened),
    ("contrast", 1.0, _contrasted),
    ("saturation", 1.0, _saturated),
    ("hue", 0.0, _turned),
)
