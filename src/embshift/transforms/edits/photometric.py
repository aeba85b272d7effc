"""Brightness and colour, pixel by pixel: no pixel moves, none sees another."""

import cv2
import numpy as np

from embshift.core.types import Pixels
from embshift.transforms import Strength, transform

__all__ = ["gamma", "grey", "hue", "saturation"]

_GREY = np.array([299, 587, 114], np.int32)  # in thousandths


@transform(
    name="gamma",
    family="photometric",
    summary="darker or lighter in the middle tones; black and white stay",
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
    """``255 (v / 255)^γ`` with γ the strength or its inverse: which of them is drawn."""
    exponent = strength if rng.random() < 0.5 else 1 / strength
    table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return table[pixels]


@transform(
    name="saturation",
    family="photometric",
    summary="colours paler or stronger; at 1 they are gone or doubled",
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
    """Every colour's distance from its grey times 1 − s or 1 + s: which of them is drawn."""
    factor = 1 + strength if rng.random() < 0.5 else 1 - strength
    grey_ = _luma(pixels)
    return _bytes(grey_ + factor * (pixels - grey_))


@transform(
    name="hue",
    family="photometric",
    summary="all colours turned along the colour circle",
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
    """Hue of HSV turned by the angle, to a side that is drawn; saturation and value stay."""
    angle = strength if rng.random() < 0.5 else -strength
    # In floats: OpenCV's bytes hold hues in steps of two degrees.
    turned = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    turned[..., 0] = np.mod(turned[..., 0] + np.float32(angle), np.float32(360))
    return _bytes(255 * cv2.cvtColor(turned, cv2.COLOR_HSV2RGB))


@transform(name="grey", family="photometric", summary="without its colours")
def grey(pixels: Pixels, /, *, rng: np.random.Generator) -> Pixels:
    """0.299 R + 0.587 G + 0.114 B, rounded, in all three channels."""
    return _bytes(np.repeat(_luma(pixels), 3, axis=2))


def _luma(pixels: Pixels) -> np.ndarray:
    # Whole numbers up to the division: a sum of floats is rounded by one processor so, by another otherwise.
    return (pixels @ _GREY)[..., None] / 1000


def _bytes(values: np.ndarray) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
