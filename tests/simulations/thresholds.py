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
def _population():
    """AUC, and recall and threshold at a rate of 1e-3, of very many images."""
    originals, views = draw_run(np.random.default_rng(1), _MANY)
    (row,) = measure_thresholds(_pair(originals, views), resamples=100).rows
    own, others = _cosines(*draw_run(np.random.default_rng(2), _MANY))
    (rate,) = row.at_rates[:1]
    # Of two populations' halves: the threshold is as exact as 64,000 false pairs make it.
    return (row.auc.value, row.uap.value, np.nan, rate.recall.value), (own, others)


def _cosines(originals, views):
    originals = (originals / np.linalg.norm(originals, axis=1, keepdims=True)).astype(np.float32)
    views = (views / np.linalg.norm(views, axis=1, keepdims=True)).astype(np.float32)
    products = views @ originals.T
    own = np.diag(products).copy()
    np.fill_diagonal(products, -2)
    flat = np.sort(products.ravel())[-(_MANY**2) // 20 :]
    return own, flat


def true_false_rate(threshold):
    """Share of all other pairs of the population with at least a cosine, up to 5 %."""
    _, (_, highest) = _population()
    return (len(highest) - np.searchsorted(highest, threshold)) / (_MANY * (_MANY - 1))


@cache
def _measure_runs(images, trials, resamples, seed):
    found = []
    for trial in range(trials):
        pairs = _pair(*draw_run(np.random.default_rng((seed, images, trial)), images))
        (row,) = measure_thresholds(pairs, resamples=resamples, seed=trial).rows
        first = row.at_rates[0]
        parts = (row.auc, row.uap, row.at_precision.recall, first.recall, first.rate)
        truth = np.nan if first.refused else true_false_rate(first.threshold)
        found.append([[one.value, one.low, one.high] for one in parts] + [[truth, 0, 0]])
    return np.array(found)


def threshold_coverage(images, *, measure, trials, resamples, seed=0):
    """Intervals of one measure; NaN where the pairs are too few for any."""
    runs = _measure_runs(images, trials, resamples, seed)
    at = MEASURES.index(measure)
    value, low, high = runs[:, at].T
    if np.isnan(low).all():
        return Share(held=np.nan, error=np.nan)
    truth, _ = _population()
    if measure == "false pairs at 1e-3":
        return count_held(low - runs[:, -1, 0], high - runs[:, -1, 0], 0.0)
    return count_held(low, high, truth[at] if at in (0, 3) else value.mean())


def refused_share(images, *, trials, resamples, seed=0):
    """Share of runs in which a rate of 1e-3 is refused."""
    runs = _measure_runs(images, trials, resamples, seed)
    return float(np.isnan(runs[:, MEASURES.index("recall at 1e-3"), 0]).mean())
