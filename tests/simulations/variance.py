"""Values whose variance between images and between draws is known."""

import math

import numpy as np

from embshift.analysis.shifts.variance import split_variance
from embshift.runs.draws import DrawSums
from tests.simulations.coverage import count_held

DRAWS, SPREAD = 3, 0.5

KINDS = ("normal", "skewed", "unequal")
"""Normal values; lognormal ones; normal draws whose spread grows with the image's lognormal value."""


def draw_values(rng, images, *, share, kind, trials):
    """Values of every image, trial and draw: variance 1, of which a share lies between draws."""
    if kind == "normal":
        return _join(rng.normal(size=(images, trials)), rng.normal(size=(images, trials, DRAWS)), share)
    own = rng.lognormal(sigma=SPREAD, size=(images, trials))
    if kind == "skewed":
        return _join(_scaled(own), _scaled(rng.lognormal(sigma=SPREAD, size=(*own.shape, DRAWS))), share)
    spread = own / math.exp(SPREAD**2)  # mean square 1
    return _join(_scaled(own), rng.normal(size=(*own.shape, DRAWS)) * spread[..., None], share)


def _scaled(values):
    """Lognormal values with mean 0 and variance 1."""
    square = math.exp(SPREAD**2)
    return (values - math.sqrt(square)) / math.sqrt((square - 1) * square)


def _join(image, draw, share):
    return math.sqrt(1 - share) * image[..., None] + math.sqrt(share) * draw


def variance_coverage(images, *, trials, share, kind, seed=0):
    """Intervals of the share of the variance that lies between draws; trials stand as transforms."""
    rng = np.random.default_rng((seed, images, round(100 * share), KINDS.index(kind)))
    values = draw_values(rng, images, share=share, kind=kind, trials=trials)
    mean = values.mean(axis=2)
    found = split_variance(
        DrawSums(
            transforms=tuple(str(at) for at in range(trials)),
            count=np.full(mean.shape, DRAWS),
            mean=mean,
            squares=((values - mean[..., None]) ** 2).sum(axis=2),
        )
    )
    return count_held(found.low[:, 2], found.high[:, 2], share)
