"""How often intervals hold what they say, on numbers whose truth is known."""

import math

import numpy as np

from embshift.analysis.sampling.bootstrap import bca, influence, means, resampled_means
from embshift.analysis.shifts.ranks import rank_transforms

SPREAD = 0.5
"""σ of the lognormal shifts; their mean is exp(σ²/2)."""

_TOGETHER = 100
"""Simulated runs that share their resamples: each stays as it would be, and counts are drawn once."""


def mean_coverage(images, *, trials, resamples, seed=0):
    """Share of 95 % intervals of a mean of lognormal shifts that hold the true mean."""
    truth, held = math.exp(SPREAD**2 / 2), 0
    for start in range(0, trials, _TOGETHER):
        columns = min(_TOGETHER, trials - start)
        table = np.random.default_rng((seed, images, start)).lognormal(sigma=SPREAD, size=(images, columns))
        found = bca(
            resampled_means(table, resamples=resamples, seed=start),
            mean=means(table),
            pulls=influence(table),
            n=np.full(columns, images),
        )
        held += int(((found.low <= truth) & (truth <= found.high)).sum())
    return held / trials


CASES = {
    "all apart": (0.8, 0.7, 0.6, 0.5, 0.4),
    "three tied": (0.8, 0.8, 0.8, 0.7, 0.5),
    "all tied": (0.8, 0.8, 0.8, 0.8, 0.8),
}
"""True means of five transforms."""


def rank_coverage(truth, *, images, trials, resamples, seed=0):
    """Share of runs in which all rank intervals together hold all true ranks, every shared one of tied."""
    truth, held = np.array(truth), 0
    best = 1 + (truth > truth[:, None]).sum(axis=1)
    worst = len(truth) - (truth < truth[:, None]).sum(axis=1)
    for trial in range(trials):
        rng = np.random.default_rng((seed, trial))
        # What the transforms of one picture share, and skewed noise of their own.
        table = truth + 0.3 * rng.normal(size=(images, 1))
        table = table + 0.15 * (
            rng.lognormal(sigma=SPREAD, size=(images, len(truth))) - math.exp(SPREAD**2 / 2)
        )
        found = rank_transforms(
            means(table),
            resampled=resampled_means(table, resamples=resamples, seed=trial),
            pulls=influence(table),
            known=np.ones(len(truth), bool),
            transforms=[str(at) for at in range(len(truth))],
            by="simulated",
            seed=trial,
        )
        sides = zip(found.intervals, best.tolist(), worst.tolist())
        held += all(one.low <= low and high <= one.high for one, low, high in sides)
    return held / trials
