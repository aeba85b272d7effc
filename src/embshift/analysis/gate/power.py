"""Numbers of images with which a limit would be decided, if the means stayed what they are."""

import math

from scipy.special import ndtri

from embshift.analysis.sampling.bootstrap import FEWEST
from embshift.analysis.shifts.sizes import images_needed
from embshift.core.errors import PlanError

__all__ = ["MOST", "POWER", "images_for_mean", "images_for_share"]

POWER = 0.8
"""Probability with which so many images decide."""

MOST = 10_000_000
"""Number of images above which none is named."""


def images_for_mean(
    distance: float, /, *, deviation: float, error: float, power: float = POWER
) -> int | None:
    """Return the number of images whose one-sided bound stays on the mean's side of a limit.

    Args:
        distance: Distance from the mean to the limit.
        deviation: Standard deviation over images.
        error: One less the level of the one-sided bound.
        power: Probability of that.

    Returns:
        10 or more; None if it would be more than 10,000,000, or the deviation is NaN.
    """
    if math.isnan(distance) or distance == 0:
        return None
    try:
        # A two-sided test at twice the error has the same bound.
        found = images_needed(abs(distance), deviation=deviation, error=2 * error, power=power)
    except PlanError:  # more than 10^12
        return None
    return None if found is None or found > MOST else max(found, FEWEST)


def images_for_share(
    distance: float, /, *, variance: float, at_limit: float, error: float, power: float = POWER
) -> int | None:
    """Return the number of images whose one-sided score bound stays on the share's side of a limit.

    A score interval takes the variance at the limit, so that it has a width where all images agree.

    Args:
        distance: Distance from the share, or the difference of two, to the limit.
        variance: Variance of one image's value.
        at_limit: The same, if the limit were the truth.
        error: One less the level of the one-sided bound.
        power: Probability of that.

    Returns:
        As `images_for_mean`.
    """
    if math.isnan(distance) or distance == 0:
        return None
    wide = -float(ndtri(error)) * math.sqrt(at_limit) + float(ndtri(power)) * math.sqrt(max(variance, 0.0))
    found = math.ceil((wide / distance) ** 2)
    return None if found > MOST else max(found, FEWEST)
