"""The paper's transforms with their ranges scaled: a curve through the one point that Algorithm 1 measures.

At the strength of Algorithm 1 each is the transform of the preset "paper" to the last bit.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from embshift.core.types import Pixels, View
from embshift.transforms import TRANSFORMS, Strength, transform
from embshift.transforms.albumentations.adapter import AlbumentationsTransform, adapt
from embshift.transforms.albumentations.construction import construct

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
"""From the preset's parameters and how many times the paper's strength is wanted, to the changed ones."""


def _times(*names: str) -> Scale:
    def scaled(parameters: Parameters, times: float) -> dict[str, Any]:
        return {name: _multiplied(parameters[name], times) for name in names}

    return scaled


def _multiplied(value: Any, times: float) -> Any:
    return [each * times for each in value] if isinstance(value, list) else value * times


def _jitter(parameters: Parameters, times: float) -> dict[str, Any]:
    factors = ("brightness", "contrast", "saturation")
    scaled = {name: [1 + (each - 1) * times for each in parameters[name]] for name in factors}
    return scaled | {"hue": _multiplied(parameters["hue"], times)}


def _kernel(parameters: Parameters, times: float) -> dict[str, Any]:
    # Three sides to choose from at every strength: with more or fewer the draw of the deviation would change.
    least = max(3, 2 * round(3 * times) - 3)
    return {"blur_limit": [least, least + 4], "sigma_limit": _multiplied(parameters["sigma_limit"], times)}


def _holes(parameters: Parameters, times: float) -> dict[str, Any]:
    # Whole pixels; the height grows half a pixel before the width, which halves the steps of the area.
    side = parameters["hole_height_range"][0] * times
    height, width = max(1, int(side + 0.5)), max(1, int(side))
    return {"hole_height_range": [height, height], "hole_width_range": [width, width]}


_SCALES: Mapping[str, Scale] = {
    "noise": _times("std_range"),
    "blur": _kernel,
    "color_jitter": _jitter,
    "shift_scale_rotate": _times("shift_limit_x", "shift_limit_y", "scale_limit", "rotate_limit"),
    "elastic": _times("alpha"),
    "perspective": _times("scale"),
    "random_brightness_contrast": _times("brightness_limit", "contrast_limit"),
    "coarse_dropout": _holes,
}


@lru_cache(maxsize=256)
def _built(name: str, strength: float) -> AlbumentationsTransform:
    from embshift.transforms.presets import load_preset  # it looks names up among those that are added here

    plan = next(plan for plan in load_preset("paper").transforms if plan.name == name)
    stated = TRANSFORMS[name].strength
    times = strength / stated.paper if stated is not None and stated.paper else 1.0
    return adapt(construct(plan.target, {**plan.parameters, **_SCALES[name](plan.parameters, times)}))


@transform(
    name="noise",
    family="noise",
    summary="Gaussian noise, each channel by itself",
    strength=Strength(
        meaning="greatest standard deviation, of the full range",
        unit="1",
        least=0,
        greatest=1,
        severities=(0.055, 0.11, 0.22, 0.44, 0.88),
        zero=0,
        paper=0.88,
    ),
)
def noise(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Deviation drawn from half the strength to all of it."""
    return _built("noise", strength)(pixels, rng=rng)


@transform(
    name="blur",
    family="blur",
    summary="Gaussian blur, its kernel and its width drawn apart",
    strength=Strength(
        meaning="greatest standard deviation",
        unit="px",
        least=0,
        greatest=20,
        severities=(1.0, 2.0, 3.0, 5.0, 8.0),
        zero=0,
        paper=3,
    ),
)
def blur(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Deviation drawn from a sixth of the strength to all of it; the kernel's side grows along."""
    return _built("blur", strength)(pixels, rng=rng)


@transform(
    name="color_jitter",
    family="photometric",
    summary="brightness, contrast, saturation and hue changed at once",
    strength=Strength(
        meaning="greatest change, of each factor and in turns of hue",
        unit="1",
        least=0,
        greatest=0.5,
        severities=(0.05, 0.1, 0.2, 0.3, 0.45),
        zero=0,
        paper=0.2,
    ),
)
def color_jitter(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Each of the four drawn from minus the strength to plus the strength, and their order drawn."""
    return _built("color_jitter", strength)(pixels, rng=rng)


@transform(
    name="shift_scale_rotate",
    family="geometric",
    summary="shifted, scaled and turned at once; what comes into sight is black",
    strength=Strength(
        meaning="greatest angle; ways and scales in proportion",
        unit="°",
        least=0,
        greatest=60,
        severities=(4.0, 8.0, 15.0, 25.0, 40.0),
        zero=0,
        paper=15,
    ),
)
def shift_scale_rotate(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Angle, ways and scales drawn from ranges that grow together."""
    return _built("shift_scale_rotate", strength)(pixels, rng=rng)


@transform(
    name="elastic",
    family="geometric",
    summary="pushed about as if on rubber",
    strength=Strength(
        meaning="greatest way before smoothing",
        unit="px",
        least=0,
        greatest=10000,
        severities=(200.0, 500.0, 1000.0, 2000.0, 4000.0),
        zero=0,
        paper=30,
    ),
)
def elastic(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Every pixel's way drawn and smoothed over 60 pixels, which leaves about a two-hundredth of it."""
    return _built("elastic", strength)(pixels, rng=rng)


@transform(
    name="perspective",
    family="geometric",
    summary="seen from the side; the border is constant",
    strength=Strength(
        meaning="greatest deviation of the corners' way inwards, of the sides",
        unit="1",
        least=0,
        greatest=0.15,
        severities=(0.02, 0.04, 0.06, 0.08, 0.1),
        zero=0,
        paper=0.1,
    ),
)
def perspective(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Deviation of the corners drawn from half the strength to all of it."""
    return _built("perspective", strength)(pixels, rng=rng)


@transform(
    name="random_brightness_contrast",
    family="photometric",
    summary="brightness and contrast changed at once",
    strength=Strength(
        meaning="greatest change, of 255 and of the factor",
        unit="1",
        least=0,
        greatest=1,
        severities=(0.05, 0.1, 0.2, 0.4, 0.7),
        zero=0,
        paper=0.2,
    ),
)
def random_brightness_contrast(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Both drawn from minus the strength to plus the strength."""
    return _built("random_brightness_contrast", strength)(pixels, rng=rng)


@transform(
    name="coarse_dropout",
    family="occlusion",
    summary="six to eight square holes of grain",
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
    """Number and places of the holes drawn; the picture must be as large as a hole."""
    return _built("coarse_dropout", strength)(pixels, rng=rng)
