"""Gaussian noise, drawn: its strength, and a seed for the field that the device makes by itself."""

from typing import Any

import numpy as np

from embshift.core.types import Pixels
from embshift.transforms.gpu import Values, device_form

__all__ = ["gaussian_noise"]


def _fits(leaf: Any) -> bool:
    return leaf.per_channel and leaf.noise_scale_factor == 1.0


@device_form(
    "GaussNoise",
    closeness="distribution",
    make="embshift.transforms.gpu.kernels.noise:noisy",
    fits=_fits,
)
def gaussian_noise(leaf: Any, pixels: Pixels) -> tuple[Values, dict[str, Any]]:
    """GaussNoise: its strength drawn as the library draws it, its field from a counter and a key."""
    del pixels
    deviation = leaf.py_random.uniform(*leaf.std_range)
    mean = leaf.py_random.uniform(*leaf.mean_range)
    words = np.frombuffer(leaf.random_generator.bytes(16), dtype="<u4").astype(np.int64)
    return {"deviation": deviation, "mean": mean, "seed": words}, {"mean": mean, "std": deviation}
