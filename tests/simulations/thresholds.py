"""How often intervals of thresholds hold, on images from a known population, and when a rate is refused.

Images lie in clusters, so that the pairs of images are not alike, and a share of the views moves further. The
true AUC and recall at a rate are those of the population, from many images. The µAP and the recall at a
precision depend on the number of originals: theirs is the mean over runs of as many images.
"""

from functools import cache

import numpy as np

from embshift.analysis.embeddings.pairs import make_pairs
from embshift.analysis.thresholds.measure import measure_thresholds
from tests.simulations.coverage import Share, count_held

MEASURES = ("auc", "uap", "recall at precision 0.9", "recall at 1e-3", "false pairs at 1e-3")

DIM, CLUSTERS, MOVED = 12, 400, 0.6

_MANY = 8_000


@cache
def _centres():
    return np.random.default_rng(0).normal(size=(CLUSTERS, DIM))


def draw_run(rng, images):
    """Originals in clusters and one view of each; lengths of the shifts differ fivefold."""
    centres = _centres()[rng.integers(CLUSTERS, size=images)]
    originals = centres + 0.7 * rng.normal(size=(images, DIM))
    length = MOVED * rng.lognormal(sigma=0.5, size=(images, 1))
    return originals, originals + length * rng.normal(size=(images, DIM))


def _pair(originals, views):
    rows = np.arange(len(originals))
    return make_pairs(
        rows=rows,
        values=originals,
        ids={row: f"{row:06d}" for row in rows.tolist()},
        transforms=["moved"],
        read=lambda _: (rows, np.zeros(len(rows), np.int64), views),
    )


@cache
def _true_values():
    """AUC, and recall at a rate of 1e-3, of very many images."""
    (row,) = measure_thresholds(_pair(*draw_run(np.random.default_rng(1), _MANY)), resamples=100).rows
    return {"auc": row.auc.value, "recall at 1e-3": row.at_rates[0].recall.value}


@cache
def _highest_cosines():
    """The highest twentieth of the cosines of very many other pairs."""
    originals, views = draw_run(np.random.default_rng(2), _MANY)
    originals, views = (
        (one / np.linalg.norm(one, axis=1, keepdims=True)).astype(np.float32) for one in (originals, views)
    )
    products = views @ originals.T
    np.fill_diagonal(products, -2)
    return np.sort(products.ravel())[-(_MANY**2) // 20 :]


def _true_rate(threshold):
    """Share of the other pairs of the population with at least a cosine."""
    highest = _highest_cosines()
    return (len(highest) - np.searchsorted(highest, threshold)) / (_MANY * (_MANY - 1))


@cache
def _measure_runs(images, trials, resamples, seed):
    found = []
    for trial in range(trials):
        pairs = _pair(*draw_run(np.random.default_rng((seed, images, trial)), images))
        (row,) = measure_thresholds(pairs, resamples=resamples, seed=trial).rows
        first = row.at_rates[0]
        parts = (row.auc, row.uap, row.at_precision.recall, first.recall, first.rate)
        truth = np.nan if first.refused else _true_rate(first.threshold)
        found.append([[one.value, one.low, one.high] for one in parts] + [[truth, 0, 0]])
    return np.array(found)


def threshold_coverage(images, *, measure, trials, resamples, seed=0):
    """Intervals of one measure; NaN where the pairs are too few for any."""
    runs = _measure_runs(images, trials, resamples, seed)
    value, low, high = runs[:, MEASURES.index(measure)].T
    if measure == "false pairs at 1e-3":  # each threshold has its own true rate
        return count_held(low - runs[:, -1, 0], high - runs[:, -1, 0], 0.0)
    return count_held(low, high, _true_values().get(measure, value.mean()))


def refused_share(images, *, trials, resamples, seed=0):
    """How often a rate of 1e-3 is rightly refused, or given: it needs 20 of the other pairs."""
    runs = _measure_runs(images, trials, resamples, seed)
    refused = np.isnan(runs[:, MEASURES.index("recall at 1e-3"), 0])
    right = refused == (images * (images - 1) < 20_000)
    return Share(held=float(right.mean()), error=float(right.std() / np.sqrt(trials)))
