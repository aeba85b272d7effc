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
    compute: Compute, /, *, images: int, level: float = LEVEL, seed: int = 0, correlations: bool = False
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
        correlations: Compute the ends on Fisher's scale, artanh θ, wherever all values of a measure lie
            between −1 and 1. Near 1 a correlation is skewed: θ ± t se holds it in 88 to 94 % of runs of 18 to
            61 images, in place of 95.

    Returns:
        The values, and lower and upper ends; NaN for fewer than ten images, or where a value is undefined
        without one of the groups.

    References:
        Efron & Tibshirani 1993, An introduction to the bootstrap, chapter 11; Shao & Tu 1995, The jackknife
        and bootstrap, section 2.3, for groups; Fisher 1921, On the "probable error" of a coefficient of
        correlation, Metron 1, for the scale.
    """
    whole = compute(np.ones(images, bool))
    ends = np.full((2, len(whole)), np.nan)
    if images < FEWEST:
        return whole, ends
    groups = _assign(images, seed=seed)
    count = int(groups.max()) + 1
    without = np.stack([compute(groups != group) for group in range(count)])
    if not correlations:
        return whole, _spread(whole, without, level=level)
    inside = (np.abs(whole) < 1) & (np.abs(without) < 1).all(axis=0)
    ends = _spread(whole, without, level=level)
    scaled = _spread(np.arctanh(whole[inside]), np.arctanh(without[:, inside]), level=level)
    ends[:, inside] = np.tanh(scaled)
    return whole, ends


def _spread(
    whole: Float64[np.ndarray, " values"], without: Float64[np.ndarray, "groups values"], *, level: float
) -> Float64[np.ndarray, "2 values"]:
    """Return θ ± t se."""
    count = len(without)
    squares = ((without - without.mean(axis=0)) ** 2).sum(axis=0)
    half = float(scipy.special.stdtrit(count - 1, (1 + level) / 2)) * np.sqrt((count - 1) / count * squares)
    return np.stack([whole - half, whole + half])


def _assign(images: int, *, seed: int) -> np.ndarray:
    """Assign images to groups: one each, or at random to groups whose sizes differ by at most one."""
    if images <= GROUPS:
        return np.arange(images)
    found = np.empty(images, np.int64)
    found[np.random.default_rng((seed, 6)).permutation(images)] = np.arange(images) % GROUPS
    return found
