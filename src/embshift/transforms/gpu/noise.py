"""Drawing half for Gaussian noise: its strength, and a seed for the field that the device makes."""

from typing import Any

import numpy as np

from embshift.core.types import Pixels
from embshift.transforms.gpu import KernelValues, device_form

__all__ = ["draw_noise"]


def _fits(leaf: Any) -> bool:
    return leaf.per_channel and leaf.noise_scale_factor == 1.0


@device_form(
    "GaussNoise",
    closeness="distribution",
    make="embshift.transforms.gpu.kernels.noise:add_noise",
    fits=_fits,
)
def draw_noise(leaf: Any, pixels: Pixels) -> tuple[KernelValues, dict[str, Any]]:
    """Draw GaussNoise: its strength as in the library, and the seed of a counter-based field."""
    del pixels
    deviation = leaf.py_random.uniform(*leaf.std_range)
    mean = leaf.py_random.uniform(*leaf.mean_range)
    words = np.frombuffer(leaf.random_generator.bytes(16), dtype="<u4").astype(np.int64)
    return {"deviation": deviation, "mean": mean, "seed": words}, {"mean": mean, "std": deviation}
