"""Functions that stand for a user's own; tests name them as "tests.unit.transforms.sample_functions:…"."""

import albumentations
import numpy as np

from embshift.core.types import View

flip = albumentations.HorizontalFlip(p=1.0)
number = 3


def darker(pixels, *, by=2):
    return pixels // by


def speckled(pixels, *, rng, share=0.5):
    return np.where(rng.random(pixels.shape) < share, pixels, 0).astype(np.uint8)


def open_ended(pixels, *, rng, **parameters):
    return pixels


def sized(pixels, *, side):
    return pixels[:side, :side]


def stated(pixels, *, rng):
    strength = int(rng.integers(1, 9))
    return View(pixels=pixels // strength, parameters={"strength": strength})


def overwriting(pixels):
    pixels[:] = 0
    return pixels


def mirrored(pixels):
    return pixels[:, ::-1]


def failing(pixels):
    raise ValueError("no\n  such thing")
