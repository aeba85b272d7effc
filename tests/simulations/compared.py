"""How often intervals of compared runs hold, alone and for all transforms together, for a known population.

Two encoders see the same images through different maps and noise of their own. The true relative shift is
that of the population, from many images. Recall depends on the number of originals: its truth is the mean
over runs of as many images.
"""

from functools import cache

import numpy as np

from embshift.analysis.compared.intervals import estimate, sample_differences, sample_values
from embshift.analysis.compared.values import measure_values
from embshift.analysis.embeddings.pairs import make_pairs
from tests.simulations.coverage import count_held

KINDS = ("value", "difference", "all differences together")

STATISTICS = ("relative_shift", "recall_at_1")

LENGTHS = {"slight": 0.5, "middle": 0.8, "strong": 1.1}
"""Typical length of the shift of each transform; the lengths of images differ fivefold."""

DIM, WIDTH, CLUSTERS, OWN = 10, 16, 400, 0.3

_MANY = 8_000


@cache
def _fixed():
    """The centres of the clusters, and the map of each encoder."""
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(DIM, WIDTH)) for _ in range(2)]
    return rng.normal(size=(CLUSTERS, DIM)), maps


def draw_runs(rng, images):
    """Originals and views of the same images by both encoders, as pairs."""
    centres, maps = _fixed()
    originals = centres[rng.integers(CLUSTERS, size=images)] + 0.7 * rng.normal(size=(images, DIM))
    scale = rng.lognormal(sigma=0.5, size=(images, 1))
    views = {
        name: originals + length * scale * rng.normal(size=(images, DIM)) for name, length in LENGTHS.items()
    }
    return [
        _pair(_encode(originals, each, rng), {name: _encode(seen, each, rng) for name, seen in views.items()})
        for each in maps
    ]


def _encode(seen, projection, rng):
    return seen @ projection + OWN * rng.normal(size=(len(seen), WIDTH))


def _pair(originals, views):
    rows = np.arange(len(originals))
    return make_pairs(
        rows=rows,
        values=originals,
        ids={row: f"{row:06d}" for row in rows.tolist()},
        transforms=list(views),
        read=lambda name: (rows, np.zeros(len(rows), np.int64), views[name]),
    )


def _estimate(rng, images, *, resamples, seed):
    """Estimates of the first encoder, and of the second less the first."""
    first, second = (measure_values(pairs, transforms=list(LENGTHS)) for pairs in draw_runs(rng, images))
    samples = [sample_values(first, draws=1), sample_differences(first, second)]
    return estimate(samples, resamples=resamples, seed=seed)


@cache
def _true_means():
    found = _estimate(np.random.default_rng(1), _MANY, resamples=2, seed=0)
    return [one.mean[:, one.statistics.index("relative_shift")] for one in found]


@cache
def _simulate(images, trials, resamples):
    """For each trial, statistic and estimate: mean, ends alone and ends together, by transform."""
    found = []
    for trial in range(trials):
        made = _estimate(np.random.default_rng((images, trial)), images, resamples=resamples, seed=trial)
        found.append(
            [
                [[getattr(one, part)[:, one.statistics.index(name)] for part in _PARTS] for one in made]
                for name in STATISTICS
            ]
        )
    return np.array(found)


_PARTS = ("mean", "low", "high", "joint_low", "joint_high")


def compared_coverage(images, *, statistic, kind, trials, resamples):
    """Intervals of one kind; those that are alone are of the middle transform."""
    runs = _simulate(images, trials, resamples)[:, STATISTICS.index(statistic)]
    which = int(kind != "value")
    mean, low, high, joint_low, joint_high = np.moveaxis(runs[:, which], 1, 0)
    truth = _true_means()[which] if statistic == "relative_shift" else mean.mean(axis=0)
    if kind == "all differences together":
        lost = np.maximum(joint_low - truth, truth - joint_high).max(axis=1)
        return count_held(np.where(np.isnan(lost), np.nan, -np.inf), -lost, 0.0)
    at = list(LENGTHS).index("middle")
    return count_held(low[:, at], high[:, at], truth[at])
