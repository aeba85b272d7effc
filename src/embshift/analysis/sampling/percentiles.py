"""Intervals of percentiles by order statistics."""

import numpy as np
import scipy
from jaxtyping import Float64

from embshift.analysis.sampling.bootstrap import LEVEL

__all__ = ["percentile_interval"]


def percentile_interval(
    values: Float64[np.ndarray, " values"], share: float, /, *, level: float = LEVEL
) -> tuple[float, float]:
    """Return the interval of a percentile, by order statistics: it holds for any distribution.

    The number of values below the percentile is binomial. The ends are the greatest value that lies above the
    percentile with a probability of at most (1 − level)/2, and the least that lies below it likewise.

    Args:
        values: Defined values of independent images.
        share: Share of the images below the percentile, e.g. 0.95.
        level: Least coverage.

    Returns:
        Both ends; NaN where so few values cannot reach the level: below 72 for the 95th percentile at 95 %.

    References:
        Conover 1999, Practical nonparametric statistics, section 3.2.
    """
    n, tail = len(values), (1 - level) / 2
    below = scipy.special.bdtr(np.arange(n), n, share)  # P(at most k values lie below)
    # The k-th value, from 1, lies above the percentile if fewer than k lie below: k − 1 at most.
    lower, upper = np.flatnonzero(below <= tail), np.flatnonzero(1 - below <= tail)
    if not len(lower) or not len(upper):
        return float("nan"), float("nan")
    ordered = np.sort(values)
    return float(ordered[lower[-1]]), float(ordered[upper[0]])
