"""Rotation, crop and translation, each with the map of where every pixel came from."""

import math
from typing import Any

import numpy as np

from embshift.core.pixel_maps import carry
from embshift.core.types import Pixels, View
from embshift.transforms import Strength, transform
from embshift.transforms.albumentations.geometry import hold_map, make_affine_map

__all__ = ["crop", "rotate", "translate"]


@transform(
    name="rotate",
    family="geometric",
    summary="rotated about the centre; uncovered corners are black",
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
    """Rotate by the angle, to the left or right as drawn; bilinear."""
    degrees = strength if rng.random() < 0.5 else -strength
    height, width = pixels.shape[:2]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    return _move(pixels, np.column_stack([turn, centre - turn @ centre]), {"degrees": degrees})


@transform(
    name="crop",
    family="geometric",
    summary="a part of the image, enlarged to full size",
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
    """Resize a rectangle of 1 − s of each side, at a drawn place, to full size; bilinear."""
    across, down = rng.random(2)
    height, width = pixels.shape[:2]
    kept = 1 - strength
    # In pixel centres: the outer edges of the part fall on the outer edges of the view.
    matrix = np.array(
        [
            [kept, 0, across * strength * width + (kept - 1) / 2],
            [0, kept, down * strength * height + (kept - 1) / 2],
        ]
    )
    return _move(pixels, matrix, {"left": across * strength, "top": down * strength})


@transform(
    name="translate",
    family="geometric",
    summary="shifted; the uncovered area is black",
    strength=Strength(
        meaning="displacement, as a share of each side",
        unit="1",
        least=0,
        greatest=0.9,
        severities=(0.02, 0.05, 0.1, 0.2, 0.35),
        zero=0,
    ),
)
def translate(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Shift in a drawn direction; bilinear."""
    angle = rng.uniform(0, 2 * math.pi)
    height, width = pixels.shape[:2]
    offset = np.array([width * math.cos(angle), height * math.sin(angle)]) * strength
    shift = {"columns": round(float(offset[0]), 3), "rows": round(float(offset[1]), 3)}
    return _move(pixels, np.column_stack([np.eye(2), -offset]), shift)


def _move(pixels: Pixels, matrix: Any, parameters: dict[str, float]) -> View:
    coordinates = make_affine_map(matrix, height=pixels.shape[0], width=pixels.shape[1])
    return View(pixels=carry(pixels, coordinates), parameters=parameters, coordinates=hold_map(coordinates))
