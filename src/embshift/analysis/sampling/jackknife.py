"""Grouped jackknife: intervals of values that describe all images at once."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import scipy
from jaxtyping import Bool, Float64

from embshift.analysis.sampling.bootstrap import FEWEST, LEVEL

__all__ = ["GROUPS", "Compute", "jackknife"]

GROUPS = 50
"""Most groups of images that are left out, one at a time; up to as many images each is a group."""

Compute: TypeAlias = Callable[[Bool[np.ndarray, " images"]], Float64[np.ndarray, " values"]]
"""Takes which images are kept; returns the values on these."""


def jackknife(
    compute: Compute, /, *, images: int, level: float = LEVEL, seed: int = 0
) -> tuple[Float64[np.ndarray, " values"], Float64[np.ndarray, "2 values"]]:
    """Compute values on all images, and their intervals by leaving groups of images out.

    With G random groups of equal size the variance is (G − 1)/G · Σ (θ₋g − mean θ₋g)², and the interval
    θ ± t se, t from Student's distribution with G − 1 degrees of freedom. A bootstrap would not do: an image
    that is drawn twice is its own twin, which raises every agreement between images.

    Args:
        compute: The values, of which any may be NaN.
        images: Number of images.
        level: Coverage.
        seed: Seed of the groups, for more images than groups.

    Returns:
        The values, and lower and upper ends; NaN for fewer than ten images, or where a value is undefined
        without one of the groups.

    References:
        Efron & Tibshirani 1993, An introduction to the bootstrap, chapter 11; Shao & Tu 1995, The jackknife
        and bootstrap, section 2.3, for groups.
    """
    whole = compute(np.ones(images, bool))
    ends = np.full((2, len(whole)), np.nan)
    if images < FEWEST:
        return whole, ends
    groups = _assign(images, seed=seed)
    count = int(groups.max()) + 1
    without = np.stack([compute(groups != group) for group in range(count)])
    squares = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    half = float(scipy.special.stdtrit(count - 1, (1 + level) / 2)) * np.sqrt((count - 1) / count * squares)
    return whole, np.stack([whole - half, whole + half])


def _assign(images: int, *, seed: int) -> np.ndarray:
    """Assign images to groups: one each, or at random to groups whose sizes differ by at most one."""
    if images <= GROUPS:
        return np.arange(images)
    found = np.empty(images, np.int64)
    found[np.random.default_rng((seed, 6)).permutation(images)] = np.arange(images) % GROUPS
    return found
