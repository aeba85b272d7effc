"""Controls: views whose shift is known in advance, so that the procedure itself can be measured."""

import numpy as np

from embshift.core.types import Pixels
from embshift.transforms import transform

__all__ = ["identity"]


@transform(
    name="identity",
    family="control",
    summary="the image itself; any shift it shows is the noise floor of the procedure",
)
def identity(pixels: Pixels, /, *, rng: np.random.Generator) -> Pixels:
    """Return the image itself, for which every metric must have its value at identity."""
    return pixels
