"""Counter-based Gaussian noise: every pixel's number depends on the view's seed and its place alone."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float64, Int64

from embshift.core.device_copy import copy_to_device
from embshift.transforms.fast.noise import make_normal_table
from embshift.transforms.gpu import KernelValues
from embshift.transforms.gpu.kernels.arrays import Batch, stack_values

__all__ = ["add_noise", "draw_uniform", "run_philox"]

_FULL = 255.0
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = 0xFFFFFFFF

Words = Int64[torch.Tensor, "..."]
"""Unsigned 32-bit numbers in 64 bits, because torch has no arithmetic for unsigned 32-bit types."""


def add_noise(pixels: Batch, values: Sequence[KernelValues]) -> Batch:
    """Add normal noise of each view's strength, truncated toward zero before the addition."""
    height, width = pixels.shape[1:3]
    deviation, mean = (
        stack_values(values, name, like=pixels, dtype=np.float64)[:, None] for name in ("deviation", "mean")
    )
    table = (
        (_copy_normal_table(str(pixels.device)) * deviation + mean).mul_(_FULL).to(torch.int16)
    )  # (views, 65,536)
    numbers = draw_uniform(stack_values(values, "seed", like=pixels), count=height * width * 3)
    added = table.gather(1, numbers).view(pixels.shape)
    return added.add_(pixels).clamp_(0, 255).to(torch.uint8)


@lru_cache(maxsize=4)
def _copy_normal_table(device: str) -> Float64[torch.Tensor, " values"]:
    return copy_to_device(torch.as_tensor(make_normal_table()), device=device)


def draw_uniform(
    seeds: Int64[torch.Tensor, "views 4"], /, *, count: int
) -> Int64[torch.Tensor, "views values"]:
    """Draw equally likely 16-bit numbers, in an order that the seed determines.

    Args:
        seeds: Four 32-bit words per view: two extend the counter, two are the key.
        count: How many numbers to draw per view.
    """
    places = torch.arange(-(-count // 8), device=seeds.device)
    first, second, *key = (word[:, None] for word in seeds.unbind(1))
    words = run_philox((places & _LOW, places >> 32, first, second), (key[0], key[1]))
    halves = [half for word in words for half in (word & 0xFFFF, word >> 16)]
    return torch.stack(halves, dim=-1).flatten(1)[:, :count]


def run_philox(counter: tuple[Words, Words, Words, Words], key: tuple[Words, Words], /) -> tuple[Words, ...]:
    """Compute four random words for every counter and key with Philox4x32-10.

    References:
        Salmon, Moraes, Dror & Shaw 2011, Parallel Random Numbers: As Easy as 1, 2, 3 (SC 11), section 3.3.
    """
    a, b, c, d = counter
    one, two = key
    for _ in range(_ROUNDS):
        left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        # The product may fill all 64 bits, sign included; the mask removes copies of the sign bit.
        a, b, c, d = (
            _take_high_word(right) ^ b ^ one,
            right & _LOW,
            _take_high_word(left) ^ d ^ two,
            left & _LOW,
        )
        one, two = (one + _STEPS[0]) & _LOW, (two + _STEPS[1]) & _LOW
    return torch.broadcast_tensors(a, b, c, d)


def _take_high_word(product: Words) -> Words:
    return (product >> 32) & _LOW
