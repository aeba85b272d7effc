"""Motion blur and defocus blur."""

import math

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.core.types import Pixels, View
from embshift.transforms import Strength, transform

__all__ = ["defocus_blur", "motion_blur"]

_SAMPLES = 16
"""Samples of a kernel's shape per pixel, along each side."""


@transform(
    name="motion_blur",
    family="blur",
    summary="motion blur along a straight line",
    strength=Strength(
        meaning="length of the line",
        unit="px",
        least=0,
        greatest=100,
        severities=(3.0, 6.0, 10.0, 16.0, 25.0),
        zero=0,
    ),
)
def motion_blur(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Average along a line through each pixel in a drawn direction; edge pixels are repeated."""
    angle = rng.uniform(0, math.pi)
    # Each sample of the line falls between four pixels, which share it as in bilinear interpolation.
    along = (np.arange(math.ceil(strength * _SAMPLES) + 1) / (strength * _SAMPLES + 1e-9) - 0.5) * strength
    along = along[np.abs(along) <= strength / 2 + 1e-9]
    kernel = _spread_samples(
        along * math.cos(angle), -along * math.sin(angle), radius=math.ceil(strength / 2) + 1
    )
    return View(pixels=_filter(pixels, kernel), parameters={"degrees": round(math.degrees(angle), 3)})


@transform(
    name="defocus_blur",
    family="blur",
    summary="blur with a uniform disc, as of a lens out of focus",
    strength=Strength(
        meaning="radius of the disc",
        unit="px",
        least=0,
        greatest=50,
        severities=(1.0, 2.0, 3.0, 5.0, 8.0),
        zero=0,
    ),
)
def defocus_blur(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> Pixels:
    """Average over a disc, whose rim pixels are weighted by the covered share; edge pixels are repeated."""
    radius = math.ceil(strength)
    size = (2 * radius + 1) * _SAMPLES
    at = (np.arange(size) + 0.5) / _SAMPLES - radius - 0.5
    disc = (at[:, None] ** 2 + at**2 <= max(strength, 1 / _SAMPLES) ** 2).astype(np.float64)
    kernel = disc.reshape(2 * radius + 1, _SAMPLES, 2 * radius + 1, _SAMPLES).sum(axis=(1, 3))
    return _filter(pixels, kernel / kernel.sum())


def _spread_samples(
    columns: Float64[np.ndarray, " samples"], rows: Float64[np.ndarray, " samples"], *, radius: int
) -> Float64[np.ndarray, "side side"]:
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1))
    left, top = np.floor(columns).astype(int), np.floor(rows).astype(int)
    for down in (0, 1):
        for across in (0, 1):
            weight = (1 - np.abs(rows - top - down)) * (1 - np.abs(columns - left - across))
            np.add.at(kernel, (top + down + radius, left + across + radius), weight)
    return kernel / kernel.sum()


def _filter(pixels: Pixels, kernel: Float64[np.ndarray, "side side"]) -> Pixels:
    # Padded first, because for some modes OpenCV accepts no border wider than the image.
    reach = kernel.shape[0] // 2
    padded = cv2.copyMakeBorder(pixels, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    height, width = pixels.shape[:2]
    blurred = cv2.filter2D(padded, -1, kernel, borderType=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(blurred[reach : reach + height, reach : reach + width])
