"""How often intervals of an explanation's tables hold: pooled shares, and means of several draws."""

from functools import lru_cache

import numpy as np

from embshift.analysis.inside.by_image import mean_over_images
from embshift.analysis.inside.shares import pool_shares
from tests.simulations.coverage import count_held

COMPONENTS = 12

_PART = 0.6 ** np.arange(COMPONENTS)


def draw_shares(rng, images, *, draws):
    """Rows, shifts and shares of views; the first component has more of long shifts."""
    image = rng.normal(size=(images, 1)).repeat(draws, axis=1).ravel()
    shift = np.exp(0.4 * image + 0.2 * rng.normal(size=images * draws))
    share = _PART / _PART.sum() + 0.1 * rng.normal(size=(len(shift), COMPONENTS))
    share[:, 0] += 0.1 * image
    share[:, -1] += 1 - share.sum(axis=1)
    return np.arange(images).repeat(draws), shift, share


@lru_cache
def true_shares(draws):
    _, shift, share = draw_shares(np.random.default_rng(1), 1_000_000, draws=1)
    return (share * shift[:, None] ** 2).sum(axis=0) / (shift**2).sum()


def pooled_coverage(images, *, joint, trials, resamples, draws=1, seed=0):
    """Intervals of pooled shares: each by itself, or of all components together."""
    truth, held = true_shares(1), []
    for trial in range(trials):
        rows, shift, share = draw_shares(np.random.default_rng((seed, images, trial)), images, draws=draws)
        names = tuple(str(at) for at in range(COMPONENTS))
        found = pool_shares(
            "moved", names, rows=rows, shift=shift, share=share, resamples=resamples, seed=trial
        )
        low, high = (found.joint_low, found.joint_high) if joint else (found.low, found.high)
        if joint:
            miss = np.maximum(low - truth, truth - high).max()
            held.append((miss, -miss))
        else:
            held += list(zip(low - truth, high - truth, strict=True))
    low, high = np.array(held).T
    return count_held(low, high, 0.0)


def recovered_coverage(images, *, trials, resamples, seed=0):
    """Intervals of what patches recover: three draws, some of which have no value, with heavy tails."""
    rng = np.random.default_rng((seed, images))
    image = 0.3 * rng.standard_t(5, size=(images, 1, trials))
    values = 0.4 + image + 0.3 * rng.standard_t(5, size=(images, 3, trials))
    values[:, 1:][rng.random((images, 2, trials)) < 0.3] = np.nan
    rows = np.arange(images).repeat(3)
    found = [
        mean_over_images(
            rows, values[..., at : at + 100].reshape(len(rows), -1), resamples=resamples, seed=at
        ).estimates
        for at in range(0, trials, 100)
    ]
    low, high = (np.concatenate([getattr(one, end) for one in found]) for end in ("low", "high"))
    return count_held(low, high, 0.4)
