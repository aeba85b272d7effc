"""Score intervals for the difference of two proportions on the same images."""

import numpy as np
import scipy
from jaxtyping import Float64

__all__ = ["score_interval", "score_variance"]

_STEPS = 60
"""Bisections of an end: enough for float64."""

Column = Float64[np.ndarray, " columns"]


def score_interval(
    differences: Float64[np.ndarray, "images columns"], /, *, level: float
) -> tuple[Column, Column]:
    """Return both ends of Tango's score interval of a mean paired difference.

    b and c are the sums of positive and of negative differences. The interval holds every Δ at which
    |b − c − nΔ| ≤ z √(n (2q + Δ (1 − Δ))), q the likeliest share of negative pairs given Δ. Unlike a
    bootstrap, it has a width where all pairs agree. Values that are means of several draws count as one trial
    an image, which makes the interval too wide rather than too narrow.

    Args:
        differences: Difference of two values from 0 to 1, for each image; NaN where undefined.
        level: Coverage.

    Returns:
        Lower and upper ends, from −1 to 1; NaN without an image.

    References:
        Tango 1998, Equivalence test and confidence interval for the difference in proportions for the
        paired-sample design, Statistics in Medicine 17(8).
    """
    defined = ~np.isnan(differences)
    n = defined.sum(axis=0).astype(np.float64)
    kept = np.where(defined, differences, 0.0)
    above, below = np.maximum(kept, 0.0).sum(axis=0), np.maximum(-kept, 0.0).sum(axis=0)
    z = float(scipy.special.ndtri((1 + level) / 2))
    low = -_upper_end(below, above, n, z)
    high = _upper_end(above, below, n, z)
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def _upper_end(above: Column, below: Column, n: Column, z: float) -> Column:
    """Return the greatest Δ that the data do not contradict, by bisection."""
    n = np.maximum(n, 1)
    inside, outside = (above - below) / n, np.ones(len(n))
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        kept = _score(above, below, n, middle) >= -z
        inside, outside = np.where(kept, middle, inside), np.where(kept, outside, middle)
    return inside


def _score(above: Column, below: Column, n: Column, delta: Column) -> Column:
    """Return Tango's score statistic of a difference Δ."""
    variance = n * _variance(above / n, below / n, delta)
    deviation = above - below - n * delta
    certain = np.where(deviation < 0, -np.inf, np.inf)
    return np.divide(deviation, np.sqrt(variance), out=certain, where=variance > 0)


def _variance(above: Column, below: Column, delta: Column) -> Column:
    """Return the variance of one pair at a difference Δ, given the observed shares of differing pairs."""
    linear = -above - below + (2 - above + below) * delta
    constant = -below * delta * (1 - delta)
    negative = (np.sqrt(np.maximum(linear**2 - 8 * constant, 0.0)) - linear) / 4
    return np.maximum(2 * negative + delta * (1 - delta), 0.0)


def score_variance(*, above: float, below: float, at: float) -> float:
    """Return the variance of one pair's difference that the score test takes, if a difference were the truth.

    Args:
        above: Share of pairs with a positive difference.
        below: Share of pairs with a negative difference.
        at: The difference.
    """
    return float(_variance(*(np.array([one]) for one in (above, below, at)))[0])
