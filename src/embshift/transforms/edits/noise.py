"""Salt-and-pepper noise."""

import numpy as np

from embshift.core.types import Pixels
from embshift.transforms import Strength, transform

__all__ = ["salt_and_pepper"]


@transform(
    name="salt_and_pepper",
    family="noise",
    summary="single pixels turned black or white",
    strength=Strength(
        meaning="share of the pixels",
        unit="1",
        least=0,
        greatest=1,
        severities=(0.01, 0.03, 0.06, 0.12, 0.25),
        zero=0,
    ),
)
def salt_and_pepper(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> Pixels:
    """Turn each pixel black or white with a probability; a larger strength keeps the pixels of a smaller."""
    drawn = rng.random(pixels.shape[:2])
    white = rng.random(pixels.shape[:2]) < 0.5
    replaced = drawn < strength
    pixels[replaced & white] = 255
    pixels[replaced & ~white] = 0
    return pixels
