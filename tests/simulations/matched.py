"""Images whose damage and shift grow with strength, each at its own rate; the true shift is known."""

import math

import numpy as np

from embshift.analysis.strength.cross_fit import Measured, cross_fit, interval_of, split_images
from tests.simulations.coverage import count_held

TARGET = 0.7
"""The wanted mean damage, a similarity."""

_RATE, _SPREAD = -0.5, 0.4
"""Mean and deviation of the logarithm of the rate of damage."""


def draw_images(rng, images):
    """Damage 1 − a·s and shift b·s of each image at three strengths s; b depends on a."""
    rate = rng.lognormal(_RATE, _SPREAD, images)
    shift = 0.5 * rate + rng.lognormal(-1, 0.6, images)
    strengths = np.array([0.6, 1.0, 1.4]) * _strength()
    return Measured(damage=1 - np.outer(rate, strengths), values=np.outer(shift, strengths), target=TARGET)


def _strength():
    return (1 - TARGET) / math.exp(_RATE + _SPREAD**2 / 2)


def true_shift():
    """Mean shift at the strength whose mean damage is the target."""
    return _strength() * (0.5 * math.exp(_RATE + _SPREAD**2 / 2) + math.exp(-1 + 0.6**2 / 2))


def matched_coverage(images, *, trials, resamples, seed=0):
    """Intervals of a shift at equal damage."""
    ends = list[tuple[float, float]]()
    for trial in range(trials):
        measured = draw_images(np.random.default_rng((seed, images, trial)), images)
        halves = split_images(images, seed=trial)
        found = interval_of(cross_fit(measured, halves=halves, resamples=resamples, seed=trial), level=0.95)
        ends.append((float(found.low[0]), float(found.high[0])))
    low, high = np.array(ends).T
    return count_held(low, high, true_shift())
