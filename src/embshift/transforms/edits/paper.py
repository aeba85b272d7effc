"""The paper's transforms with scaled ranges: curves through the one point that Algorithm 1 measures.

At the strength of Algorithm 1, each equals the transform of the preset "paper" to the last bit.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from embshift.core.types import Pixels, View
from embshift.transforms import TRANSFORMS, Strength, transform
from embshift.transforms.albumentations.adapter import AlbumentationsTransform, adapt_object
from embshift.transforms.albumentations.construction import construct_object

__all__ = [
    "blur",
    "coarse_dropout",
    "color_jitter",
    "elastic",
    "noise",
    "perspective",
    "random_brightness_contrast",
    "shift_scale_rotate",
]

Parameters = Mapping[str, Any]
Scale = Callable[[Parameters, float], dict[str, Any]]
"""Takes the preset's parameters and a multiple of the paper's strength; returns the scaled parameters."""


def _scale_by_name(*names: str) -> Scale:
    def scale(parameters: Parameters, times: float) -> dict[str, Any]:
        return {name: _multiply(parameters[name], times) for name in names}

    return scale


def _multiply(value: Any, times: float) -> Any:
    return [each * times for each in value] if isinstance(value, list) else value * times


def _scale_jitter(parameters: Parameters, times: float) -> dict[str, Any]:
    factors = ("brightness", "contrast", "saturation")
    scaled = {name: [1 + (each - 1) * times for each in parameters[name]] for name in factors}
    return scaled | {"hue": _multiply(parameters["hue"], times)}


def _scale_kernel(parameters: Parameters, times: float) -> dict[str, Any]:
    # Three sides to choose from at every strength, so that the draw of the deviation does not change.
    least = max(3, 2 * round(3 * times) - 3)
    return {"blur_limit": [least, least + 4], "sigma_limit": _multiply(parameters["sigma_limit"], times)}


def _scale_holes(parameters: Parameters, times: float) -> dict[str, Any]:
    # In whole pixels. The height grows half a pixel before the width, which halves the steps of the area.
    side = parameters["hole_height_range"][0] * times
    height, width = max(1, int(side + 0.5)), max(1, int(side))
    return {"hole_height_range": [height, height], "hole_width_range": [width, width]}


_SCALES: Mapping[str, Scale] = {
    "noise": _scale_by_name("std_range"),
    "blur": _scale_kernel,
    "color_jitter": _scale_jitter,
    "shift_scale_rotate": _scale_by_name("shift_limit_x", "shift_limit_y", "scale_limit", "rotate_limit"),
    "elastic": _scale_by_name("alpha"),
    "perspective": _scale_by_name("scale"),
    "random_brightness_contrast": _scale_by_name("brightness_limit", "contrast_limit"),
    "coarse_dropout": _scale_holes,
}


@lru_cache(maxsize=256)
def _build_scaled(name: str, strength: float) -> AlbumentationsTransform:
    from embshift.transforms.presets import load_preset  # looks up names that this module adds

    plan = next(plan for plan in load_preset("paper").transforms if plan.name == name)
    stated = TRANSFORMS[name].strength
    times = strength / stated.paper if stated is not None and stated.paper else 1.0
    return adapt_object(
        construct_object(plan.target, {**plan.parameters, **_SCALES[name](plan.parameters, times)})
    )


@transform(
    name="noise",
    family="noise",
    summary="Gaussian noise, independent for each channel",
    strength=Strength(
        meaning="largest standard deviation, as a share of the full range",
        unit="1",
        least=0,
        greatest=1,
        severities=(0.055, 0.11, 0.22, 0.44, 0.88),
        zero=0,
        paper=0.88,
    ),
)
def noise(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Add noise whose deviation is drawn from half the strength to the strength."""
    return _build_scaled("noise", strength)(pixels, rng=rng)


@transform(
    name="blur",
    family="blur",
    summary="Gaussian blur, with kernel size and width drawn separately",
    strength=Strength(
        meaning="largest standard deviation",
        unit="px",
        least=0,
        greatest=20,
        severities=(1.0, 2.0, 3.0, 5.0, 8.0),
        zero=0,
        paper=3,
    ),
)
def blur(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Blur with a deviation drawn from a sixth of the strength to the strength; the kernel grows with it."""
    return _build_scaled("blur", strength)(pixels, rng=rng)


@transform(
    name="color_jitter",
    family="photometric",
    summary="brightness, contrast, saturation and hue changed at once",
    strength=Strength(
        meaning="largest change, of each factor and of the hue in turns",
        unit="1",
        least=0,
        greatest=0.5,
        severities=(0.05, 0.1, 0.2, 0.3, 0.45),
        zero=0,
        paper=0.2,
    ),
)
def color_jitter(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Draw each of the four changes from minus the strength to plus the strength, and their order."""
    return _build_scaled("color_jitter", strength)(pixels, rng=rng)


@transform(
    name="shift_scale_rotate",
    family="geometric",
    summary="shifted, scaled and rotated at once; uncovered areas are black",
    strength=Strength(
        meaning="largest angle; shifts and scales are in proportion",
        unit="°",
        least=0,
        greatest=60,
        severities=(4.0, 8.0, 15.0, 25.0, 40.0),
        zero=0,
        paper=15,
    ),
)
def shift_scale_rotate(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Draw angle, shifts and scales from ranges that grow together."""
    return _build_scaled("shift_scale_rotate", strength)(pixels, rng=rng)


@transform(
    name="elastic",
    family="geometric",
    summary="elastic deformation by a smooth random displacement field",
    strength=Strength(
        meaning="largest displacement before smoothing",
        unit="px",
        least=0,
        greatest=10000,
        severities=(200.0, 500.0, 1000.0, 2000.0, 4000.0),
        zero=0,
        paper=30,
    ),
)
def elastic(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Draw every pixel's displacement and smooth it over 60 pixels, which leaves about 1/200 of it."""
    return _build_scaled("elastic", strength)(pixels, rng=rng)


@transform(
    name="perspective",
    family="geometric",
    summary="perspective distortion; uncovered areas are black",
    strength=Strength(
        meaning="largest deviation of the corners, as a share of the sides",
        unit="1",
        least=0,
        greatest=0.15,
        severities=(0.02, 0.04, 0.06, 0.08, 0.1),
        zero=0,
        paper=0.1,
    ),
)
def perspective(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Move the corners inwards, with a deviation drawn from half the strength to the strength."""
    return _build_scaled("perspective", strength)(pixels, rng=rng)


@transform(
    name="random_brightness_contrast",
    family="photometric",
    summary="brightness and contrast changed at once",
    strength=Strength(
        meaning="largest change, as a share of 255 and of the contrast factor",
        unit="1",
        least=0,
        greatest=1,
        severities=(0.05, 0.1, 0.2, 0.4, 0.7),
        zero=0,
        paper=0.2,
    ),
)
def random_brightness_contrast(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Draw both changes from minus the strength to plus the strength."""
    return _build_scaled("random_brightness_contrast", strength)(pixels, rng=rng)


@transform(
    name="coarse_dropout",
    family="occlusion",
    summary="six to eight square holes of random pixels",
    strength=Strength(
        meaning="side of a hole",
        unit="px",
        least=0,
        greatest=100,
        severities=(8.0, 12.0, 16.0, 24.0, 36.0),
        zero=0,
        paper=16,
    ),
)
def coarse_dropout(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Draw the number and places of the holes; the image must be as large as a hole."""
    return _build_scaled("coarse_dropout", strength)(pixels, rng=rng)
