"""Turned, cut, shifted: pixels that move, each with the map of where it came from."""

import math
from functools import partial
from typing import Any

import numpy as np

from embshift.core.pixel_maps import carry
from embshift.core.types import Coordinates, Pixels, View
from embshift.transforms import Strength, transform
from embshift.transforms.albumentations.geometry import placed

__all__ = ["crop", "rotate", "translate"]


@transform(
    name="rotate",
    family="geometric",
    summary="turned about its centre; what comes into sight is black",
    strength=Strength(
        meaning="angle",
        unit="°",
        least=0,
        greatest=180,
        severities=(3.0, 7.0, 15.0, 25.0, 45.0),
        zero=0,
    ),
)
def rotate(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Turned by the angle, to the left or to the right: which of them is drawn; bilinear."""
    degrees = strength if rng.random() < 0.5 else -strength
    height, width = pixels.shape[:2]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return _moved(pixels, np.column_stack([turn, centre - turn @ centre]), {"degrees": degrees})


@transform(
    name="crop",
    family="geometric",
    summary="a part of it, enlarged to the whole",
    strength=Strength(
        meaning="share of each side that is cut away",
        unit="1",
        least=0,
        greatest=0.9,
        severities=(0.1, 0.2, 0.3, 0.45, 0.6),
        zero=0,
    ),
)
def crop(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """A rectangle of 1 − s of either side, where it lies drawn, resized to the whole; bilinear."""
    across, down = rng.random(2)
    height, width = pixels.shape[:2]
    kept = 1 - strength
    # Pixel centres: the outer edges of the part fall on those of the whole.
    matrix = np.array(
        [
            [kept, 0, across * strength * width + (kept - 1) / 2],
            [0, kept, down * strength * height + (kept - 1) / 2],
        ]
    )
    return _moved(pixels, matrix, {"left": across * strength, "top": down * strength})


@transform(
    name="translate",
    family="geometric",
    summary="shifted; what comes into sight is black",
    strength=Strength(
        meaning="way, as a share of each side",
        unit="1",
        least=0,
        greatest=0.9,
        severities=(0.02, 0.05, 0.1, 0.2, 0.35),
        zero=0,
    ),
)
def translate(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Shifted in a direction that is drawn; bilinear."""
    angle = rng.uniform(0, 2 * math.pi)
    height, width = pixels.shape[:2]
    way = np.array([width * math.cos(angle), height * math.sin(angle)]) * strength
    shift = {"columns": round(float(way[0]), 3), "rows": round(float(way[1]), 3)}
    return _moved(pixels, np.column_stack([np.eye(2), -way]), shift)


def _moved(pixels: Pixels, matrix: Any, parameters: dict[str, float]) -> View:
    coordinates: Coordinates = placed(matrix, height=pixels.shape[0], width=pixels.shape[1])
    return View(
        pixels=carry(pixels, coordinates), parameters=parameters, coordinates=partial(_given, coordinates)
    )


def _given(coordinates: Coordinates) -> Coordinates:
    return coordinates
