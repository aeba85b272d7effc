"""How often intervals hold of shifts over a floor, and of the rank correlation of flips and a predictor."""

from functools import lru_cache

import numpy as np
from scipy.stats import spearmanr

from embshift.analysis.embeddings.floors import floor, floor_ratio
from embshift.analysis.strength.flip_prediction import predict_flips
from tests.simulations.coverage import count_held

DIM, TRANSFORMS = 8, 12


def _embeddings(rng, images):
    """Originals, the same prepared otherwise, and their views: changes of lognormal size."""
    base = rng.normal(size=(images, DIM)) + 2 * np.eye(DIM)[0]
    sizes = rng.lognormal(sigma=0.5, size=(2, images, 1))
    moved = [
        base + by * size * rng.normal(size=base.shape) for by, size in zip((0.02, 0.3), sizes, strict=True)
    ]
    return [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (base, *moved)]


def _shifts(one, other):
    return ((one - other) ** 2).sum(axis=1) / 2


@lru_cache
def true_ratio():
    base, prepared, views = _embeddings(np.random.default_rng(1), 400_000)
    return _shifts(base, views).mean() / _shifts(base, prepared).mean()


def floor_coverage(images, *, trials, seed=0):
    """Intervals of a mean shift over the mean shift of a floor, over the same images."""
    ends = []
    for trial in range(trials):
        base, prepared, views = _embeddings(np.random.default_rng((seed, images, trial)), images)
        below = floor(base, prepared, kind="preparation", name="simulated")
        shifts = _shifts(base, views)[:, None]
        found = floor_ratio(shifts, below, level=0.95)
        ends.append((found.low[0], found.high[0]))
    low, high = np.array(ends).T
    return count_held(low, high, true_ratio())


FLIPS = {"far apart": (0.05, 0.6), "close": (0.1, 0.3)}
"""Least and greatest flip rate of the transforms, which lie evenly between."""


def prediction_coverage(images, *, rates, trials, resamples, seed=0):
    """Intervals of Spearman's correlation of flips and a predictor over fixed transforms.

    The true means of the predictor rise with the flips, and not in the same order.
    """
    flips = np.linspace(*FLIPS[rates], TRANSFORMS)
    middle = 1 + np.random.default_rng(3).permutation(TRANSFORMS) / TRANSFORMS + 2 * flips
    truth, ends = float(spearmanr(flips, middle).statistic), []
    for trial in range(trials):
        rng = np.random.default_rng((seed, images, trial))
        flipped = (rng.random((images, TRANSFORMS)) < flips).astype(np.float64)
        size = rng.lognormal(-0.125, 0.5, (images, 1))
        radius = middle * size + 0.2 * rng.normal(size=flipped.shape)
        found = predict_flips(flipped, {"radius": radius}, resamples=resamples, seed=trial).spearman
        ends.append((found.low[0], found.high[0]))
    low, high = np.array(ends).T
    return count_held(low, high, truth)
