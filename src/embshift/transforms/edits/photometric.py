"""Changes of brightness and colour, each pixel by itself."""

import cv2
import numpy as np

from embshift.core.types import Pixels
from embshift.transforms import Strength, transform

__all__ = ["gamma", "grey", "hue", "saturation"]

_GREY = np.array([299, 587, 114], np.int32)  # in thousandths


@transform(
    name="gamma",
    family="photometric",
    summary="darker or lighter mid-tones; black and white are unchanged",
    strength=Strength(
        meaning="exponent, or its inverse",
        unit="1",
        least=1,
        greatest=10,
        severities=(1.2, 1.5, 2.0, 2.7, 4.0),
        zero=1,
    ),
)
def gamma(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> Pixels:
    """Map each level v to ``255 (v / 255)^γ``, where γ is the strength or its inverse, as drawn."""
    exponent = strength if rng.random() < 0.5 else 1 / strength
    table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return table[pixels]


@transform(
    name="saturation",
    family="photometric",
    summary="weaker or stronger colours; at 1 they are removed or doubled",
    strength=Strength(
        meaning="change of the distance from grey, as a share of it",
        unit="1",
        least=0,
        greatest=1,
        severities=(0.2, 0.4, 0.6, 0.8, 1.0),
        zero=0,
    ),
)
def saturation(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> Pixels:
    """Multiply each colour's distance from its grey by 1 − s or 1 + s, as drawn."""
    factor = 1 + strength if rng.random() < 0.5 else 1 - strength
    grey_ = _compute_luma(pixels)
    return _round_to_bytes(grey_ + factor * (pixels - grey_))


@transform(
    name="hue",
    family="photometric",
    summary="all hues rotated on the colour circle",
    strength=Strength(
        meaning="angle on the colour circle",
        unit="°",
        least=0,
        greatest=180,
        severities=(15.0, 30.0, 60.0, 90.0, 180.0),
        zero=0,
    ),
)
def hue(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> Pixels:
    """Rotate the hue in HSV by the angle, in a drawn direction; saturation and value are unchanged."""
    angle = strength if rng.random() < 0.5 else -strength
    # In float32, because OpenCV's 8-bit hues have steps of two degrees.
    turned = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    turned[..., 0] = np.mod(turned[..., 0] + np.float32(angle), np.float32(360))
    return _round_to_bytes(255 * cv2.cvtColor(turned, cv2.COLOR_HSV2RGB))


@transform(name="grey", family="photometric", summary="converted to grey")
def grey(pixels: Pixels, /, *, rng: np.random.Generator) -> Pixels:
    """Set all three channels to 0.299 R + 0.587 G + 0.114 B, rounded."""
    return _round_to_bytes(np.repeat(_compute_luma(pixels), 3, axis=2))


def _compute_luma(pixels: Pixels) -> np.ndarray:
    # In whole numbers up to the division, because processors differ in how they round a sum of floats.
    return (pixels @ _GREY)[..., None] / 1000


def _round_to_bytes(values: np.ndarray) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
