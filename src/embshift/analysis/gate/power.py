"""Numbers of images with which a limit would be decided, if images stayed what they are.

The bound of a mean follows the skewness of its sample, so that skewed values need more images on one side of
a limit than on the other. The number is found by drawing from the observed values, with the gate's bound.
"""

import math

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import ndtri, stdtrit

from embshift.analysis.compared.score import score_variance
from embshift.analysis.sampling.bootstrap import FEWEST

__all__ = ["MOST", "POWER", "images_for_difference", "images_for_mean", "images_for_share"]

POWER = 0.8
"""Probability with which so many images decide."""

MOST = 10_000_000
"""Number of images above which none is named."""

_FORMULA = 4_000
"""Number of images from which a formula is close enough: drawing so many takes long, and changes little."""

_DRAWS = 2_000
"""Samples behind a probability: a standard error below .01."""

_STEP = 1.04
"""Ratio of two numbers of images at which the probability is computed."""

_AT_ONCE = 1 << 20
"""Values drawn at once: 8 MiB for each power of them."""

_LEAST = 1e-3
"""Least divisor of BCa's levels: an extremely skewed sample has its bound far out, on the same side."""

Values = Float64[np.ndarray, "..."]


def images_for_mean(
    distance: float,
    /,
    *,
    pulls: Float64[np.ndarray, " images"],
    error: float,
    reach: float = 0.0,
    power: float = POWER,
    seed: int = 0,
) -> int | None:
    """Return the number of images whose one-sided bound stays on the mean's side of a limit.

    Args:
        distance: The limit less the mean.
        pulls: How far each observed image moves the mean, times the number of images.
        error: One less the level of the one-sided BCa bound.
        reach: Least distance of the bound from the mean, in standard errors, as of all bounds together.
        power: Probability of that.
        seed: Seed of the samples.

    Returns:
        10 or more; None if it would be more than 10,000,000, the distance is 0, or anything is NaN.
    """
    room, towards = abs(distance), math.copysign(1.0, distance) * pulls
    deviation = float(towards.std()) if len(towards) else math.nan
    if math.isnan(room) or math.isnan(deviation) or room == 0:
        return None
    # Equal values may differ from their mean by rounding: that is no spread.
    if deviation <= 1e-12 * room:
        return FEWEST
    skewness = float(((towards - towards.mean()) ** 3).mean()) / deviation**3
    wide = max(float(-ndtri(error)), reach), float(ndtri(power))
    formula, plain = (_expand(room / deviation, wide, skewness=one) for one in (skewness, 0.0))
    if formula > _FORMULA:
        return None if formula > MOST else math.ceil(formula)
    most = math.ceil(1.5 * max(formula, plain)) + 3 * FEWEST
    rng = np.random.default_rng(seed)
    return _find_least(towards, room, most=most, error=error, reach=reach, power=power, rng=rng)


def _expand(effect: float, wide: tuple[float, float], *, skewness: float) -> float:
    """Return the number of images by the Edgeworth expansion of a skewness-corrected bound, to second order.

    √n Δ/σ = (z + p) (1 + γ (2z + p) / 6√n), with z the quantile of the bound and p that of the power.
    """
    normal = sum(wide) / effect
    square = normal**2 + 4 * normal * skewness * (2 * wide[0] + wide[1]) / 6
    return ((normal + math.sqrt(square)) / 2) ** 2 if square > 0 else 0.0


def _find_least(
    values: Float64[np.ndarray, " images"],
    room: float,
    *,
    most: int,
    error: float,
    reach: float,
    power: float,
    rng: np.random.Generator,
) -> int:
    """Return the number of images from which on the share of samples that decide is the power."""
    sizes = _list_sizes(most)
    decided = np.zeros(len(sizes))
    rows = max(1, _AT_ONCE // int(sizes[-1]))
    for start in range(0, _DRAWS, rows):
        drawn = values[rng.integers(len(values), size=(min(rows, _DRAWS - start), int(sizes[-1])))]
        decided += _decide(drawn, sizes, room, error=error, reach=reach).sum(axis=0)
    return _cross(sizes, decided / _DRAWS, power=power)


def _cross(sizes: Int64[np.ndarray, " sizes"], shares: Float64[np.ndarray, " sizes"], *, power: float) -> int:
    """Return the size at which shares reach the power: the middle, where they waver about it by chance."""
    enough = np.flatnonzero(shares >= power)
    few = np.flatnonzero(shares < power)
    first = sizes[enough[0]] if len(enough) else sizes[-1]
    last = sizes[few[-1]] if len(few) else sizes[0]
    return math.ceil(math.sqrt(first * last))


def _list_sizes(most: int) -> Int64[np.ndarray, " sizes"]:
    steps = math.ceil(math.log(most / FEWEST) / math.log(_STEP))
    return np.unique(np.rint(FEWEST * _STEP ** np.arange(steps + 1)).astype(np.int64))


def _decide(
    drawn: Float64[np.ndarray, "draws images"],
    sizes: Int64[np.ndarray, " sizes"],
    room: float,
    *,
    error: float,
    reach: float,
) -> Bool[np.ndarray, "draws sizes"]:
    """Return which samples, cut to each size, have their upper bound within the room."""
    starts = np.concatenate([[0], sizes[:-1]])
    mean, square, cube = (np.add.reduceat(drawn**k, starts, axis=1).cumsum(axis=1) / sizes for k in (1, 2, 3))
    variance = np.maximum(square - mean**2, 0.0)
    third = cube - 3 * mean * square + 2 * mean**3
    skewness = np.divide(third, variance**1.5, out=np.zeros_like(third), where=variance > 0)
    alone = mean + _bca_reach(skewness, sizes, error=error) * np.sqrt(variance / sizes)
    together = mean + reach * np.sqrt(variance / (sizes - 1))
    return np.maximum(alone, together) <= room


def _bca_reach(skewness: Values, sizes: Int64[np.ndarray, " sizes"], *, error: float) -> Values:
    """Return how many standard errors the upper BCa bound lies above the mean, to second order.

    Bias and acceleration are both γ / 6√n, and quantiles of resampled means follow from Cornish and Fisher.
    """
    wide = -np.sqrt(sizes / (sizes - 1)) * stdtrit(sizes - 1, error)
    bent = skewness / (6 * np.sqrt(sizes))
    level = bent + (bent + wide) / np.maximum(1 - bent * (bent + wide), _LEAST)
    return level + bent * (level**2 - 1)


def images_for_share(
    distance: float,
    /,
    *,
    share: float,
    deviation: float,
    error: float,
    power: float = POWER,
) -> int | None:
    """Return the number of images whose one-sided Wilson bound stays on the share's side of a limit.

    A score interval takes the variance at the limit, so that it has a width where all images agree.

    Args:
        distance: The limit less the share.
        share: Mean of the values of all images, from 0 to 1.
        deviation: Their standard deviation; several draws of an image make it less than that of 0 and 1.
        error: One less the level of the one-sided bound.
        power: Probability of that.

    Returns:
        As `images_for_mean`.
    """
    binary, limit = share * (1 - share), share + distance
    effect = min(deviation**2 / binary, 1.0) if binary > 0 else 1.0
    return _count_trials(
        distance, variance=effect * binary, at_limit=effect * limit * (1 - limit), error=error, power=power
    )


def images_for_difference(
    distance: float,
    /,
    *,
    difference: float,
    deviation: float,
    error: float,
    power: float = POWER,
) -> int | None:
    """Return the number of images whose one-sided Tango bound stays on the side of a difference of shares.

    Args:
        distance: The limit less the difference.
        difference: Mean of the differences of all images, from −1 to 1.
        deviation: Their standard deviation.
        error: One less the level of the one-sided bound.
        power: Probability of that.

    Returns:
        As `images_for_mean`.
    """
    if math.isnan(difference) or math.isnan(deviation):
        return None
    differing = max(deviation**2 + difference**2, abs(difference))
    at_limit = score_variance(
        above=(differing + difference) / 2, below=(differing - difference) / 2, at=difference + distance
    )
    return _count_trials(distance, variance=deviation**2, at_limit=at_limit, error=error, power=power)


def _count_trials(
    distance: float, /, *, variance: float, at_limit: float, error: float, power: float
) -> int | None:
    if math.isnan(distance) or distance == 0:
        return None
    spread = math.sqrt(max(at_limit, 0.0)), math.sqrt(max(variance, 0.0))
    wide = -float(ndtri(error)) * spread[0] + float(ndtri(power)) * spread[1]
    found = math.ceil((wide / distance) ** 2)
    return None if found > MOST else max(found, FEWEST)
