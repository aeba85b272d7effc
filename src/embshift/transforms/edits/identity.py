"""Controls: views whose shift is known beforehand, so that the procedure itself can be measured."""

import numpy as np

from embshift.core.types import Pixels
from embshift.transforms import transform

__all__ = ["identity"]


@transform(
    name="identity",
    family="control",
    summary="the picture itself: whatever shift it shows is the procedure's own floor",
)
def identity(pixels: Pixels, /, *, rng: np.random.Generator) -> Pixels:
    """The picture itself; every metric must be at its value at identity."""
    return pixels
