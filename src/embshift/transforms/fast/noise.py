"""Gaussian noise from a fast stream of 16-bit numbers and a table of the normal distribution."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64, UInt16

from embshift.core.types import Pixels
from embshift.transforms.fast import fast_form

__all__ = ["add_noise", "make_normal_table"]

_BITS = 16
_FULL = 255.0


def _fits(leaf: Any) -> bool:
    return leaf.per_channel and leaf.noise_scale_factor == 1.0


@fast_form("GaussNoise", closeness="distribution", fits=_fits)
def add_noise(leaf: Any, pixels: Pixels) -> tuple[Pixels, dict[str, Any]]:
    """Make a view of GaussNoise: its strength is drawn as in the library, its field from another generator.

    The library's field is one of 65,536, because its seed has 16 bits; here the seed has 128.
    """
    deviation = leaf.py_random.uniform(*leaf.std_range)
    mean = leaf.py_random.uniform(*leaf.mean_range)
    # The library truncates the noise toward zero before adding it; astype does the same.
    table = ((make_normal_table() * deviation + mean) * _FULL).astype(np.int16)
    seed = int.from_bytes(leaf.random_generator.bytes(16), "little")
    added = np.take(table, _draw_uniform(seed, count=pixels.size)).reshape(pixels.shape)
    noisy = cv2.add(pixels, added, dtype=cv2.CV_8U)
    return np.asarray(noisy, dtype=np.uint8), {"mean": mean, "std": deviation}


@lru_cache(maxsize=1)
def make_normal_table() -> Float64[np.ndarray, " values"]:
    """Return the standard normal distribution as 65,536 equally likely values: medians of equal shares."""
    from scipy.special import ndtri

    count = 2**_BITS
    return ndtri((np.arange(count) + 0.5) / count)


def _draw_uniform(seed: int, *, count: int) -> UInt16[np.ndarray, " values"]:
    words = np.random.SFC64(seed).random_raw(-(-count // 4))
    # Little-endian on every machine, so that the numbers have the same order.
    return words.astype("<u8", copy=False).view("<u2")[:count]
