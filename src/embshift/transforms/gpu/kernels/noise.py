"""Gaussian noise from counters: every pixel's number is a function of the view's seed and its place alone."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float64, Int64

from embshift.core.device_copy import copy_to_device
from embshift.transforms.fast.noise import quantiles
from embshift.transforms.gpu import Values
from embshift.transforms.gpu.kernels.arrays import Batch, together

__all__ = ["noisy", "philox", "uniform"]

_FULL = 255.0
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_STEPS = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_LOW = 0xFFFFFFFF

Words = Int64[torch.Tensor, "..."]
"""Whole numbers of 32 bits; torch has no arithmetic for unsigned ones of that width."""


def noisy(pixels: Batch, values: Sequence[Values]) -> Batch:
    """Pixels plus normal noise of the strength of each, cut toward zero before it is added."""
    height, width = pixels.shape[1:3]
    deviation, mean = (
        together(values, name, like=pixels, dtype=np.float64)[:, None] for name in ("deviation", "mean")
    )
    table = (_normal(str(pixels.device)) * deviation + mean).mul_(_FULL).to(torch.int16)  # (views, 65,536)
    numbers = uniform(together(values, "seed", like=pixels), count=height * width * 3)
    added = table.gather(1, numbers).view(pixels.shape)
    return added.add_(pixels).clamp_(0, 255).to(torch.uint8)


@lru_cache(maxsize=4)
def _normal(device: str) -> Float64[torch.Tensor, " values"]:
    return copy_to_device(torch.as_tensor(quantiles()), device=device)


def uniform(seeds: Int64[torch.Tensor, "views 4"], /, *, count: int) -> Int64[torch.Tensor, "views values"]:
    """Whole numbers of 16 bits, all equally likely, in an order that the seed fixes.

    Args:
        seeds: Four words of 32 bits a view: two count beside the place, two are the key.
        count: Numbers a view.
    """
    places = torch.arange(-(-count // 8), device=seeds.device)
    first, second, *key = (word[:, None] for word in seeds.unbind(1))
    words = philox((places & _LOW, places >> 32, first, second), (key[0], key[1]))
    halves = [half for word in words for half in (word & 0xFFFF, word >> 16)]
    return torch.stack(halves, dim=-1).flatten(1)[:, :count]


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[Words, Words], /) -> tuple[Words, ...]:
    """Philox4x32-10: four random words for every counter and key.

    References:
        Salmon, Moraes, Dror & Shaw 2011, Parallel Random Numbers: As Easy as 1, 2, 3 (SC 11), section 3.3.
    """
    a, b, c, d = counter
    one, two = key
    for _ in range(_ROUNDS):
        left, right = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        # The product's 64 bits may reach the sign: what the shift draws in from there is masked away.
        a, b, c, d = _high(right) ^ b ^ one, right & _LOW, _high(left) ^ d ^ two, left & _LOW
        one, two = (one + _STEPS[0]) & _LOW, (two + _STEPS[1]) & _LOW
    return torch.broadcast_tensors(a, b, c, d)


def _high(product: Words) -> Words:
    return (product >> 32) & _LOW
