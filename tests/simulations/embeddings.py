"""How often intervals of direction and structure hold, on images from known populations.

The true explained variance, CKA and RSA are those of the population, from many images. The consistency and
the shares removed depend on the number of images: theirs is the mean over runs of as many images.
"""

from functools import cache, lru_cache

import numpy as np

from embshift.analysis.embeddings.agreement import rsa, unbiased_cka
from embshift.analysis.embeddings.direction import explained_variance, measure_direction
from embshift.analysis.embeddings.pairs import make_pairs
from embshift.analysis.sampling.jackknife import jackknife
from tests.simulations.coverage import count_held
from tests.simulations.scenes import draw_views

DIRECTION = (
    "explained_variance",
    "consistency",
    "corrected_mean",
    "corrected_orthogonal",
    "corrected_linear",
)

STRUCTURE = {"unbiased_cka": unbiased_cka, "rsa": rsa}


def _pair(originals, views):
    rows = np.arange(len(originals))
    return make_pairs(
        rows=rows,
        values=originals,
        ids={row: str(row) for row in rows.tolist()},
        transforms=["moved"],
        read=lambda _: (rows, np.zeros(len(rows), np.int64), views),
    )


@cache
def _measure_runs(scene, images, trials, resamples, seed):
    """Value and both ends of every measure of direction in every run."""
    found = []
    for trial in range(trials):
        pairs = _pair(*draw_views(np.random.default_rng((seed, images, trial)), images, scene))
        one = measure_direction(pairs, resamples=resamples, seed=trial)
        found.append([(one.mean("moved", name), *one.interval("moved", name)) for name in DIRECTION])
    return np.array(found)


def direction_coverage(images, *, measure, scene, trials, resamples, seed=0):
    """Intervals of a measure of direction."""
    runs = _measure_runs(scene, images, trials, resamples, seed)[:, DIRECTION.index(measure)]
    truth = true_explained_variance(scene) if measure == "explained_variance" else runs[:, 0].mean()
    return count_held(runs[:, 1], runs[:, 2], truth)


@lru_cache
def true_explained_variance(scene):
    originals, views = draw_views(np.random.default_rng(1), 200_000, scene)
    return explained_variance(views - originals)


def structure_coverage(images, *, measure, scene, trials, seed=0):
    """Intervals of unbiased CKA or of RSA."""
    compute, ends = STRUCTURE[measure], []
    for trial in range(trials):
        one, other = draw_views(np.random.default_rng((seed, images, trial)), images, scene)
        ends.append(
            jackknife(
                lambda kept, one=one, other=other: np.array([compute(one[kept], other[kept])]),
                images=images,
                seed=trial,
                correlations=True,
            )[1][:, 0]
        )
    low, high = np.array(ends).T
    return count_held(low, high, true_structure(measure, scene))


@lru_cache
def true_structure(measure, scene):
    """RSA compares all pairs of images, so it is averaged over ten samples; CKA is of one large one."""
    sizes = [1_000] * 10 if measure == "rsa" else [200_000]
    drawn = [draw_views(np.random.default_rng((1, at)), size, scene) for at, size in enumerate(sizes)]
    return float(np.mean([STRUCTURE[measure](*two) for two in drawn]))
