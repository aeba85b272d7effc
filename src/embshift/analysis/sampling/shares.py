"""Intervals of shares: Wilson's for proportions, and for means of values that crowd at a bound."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy
from jaxtyping import Float64, Int64

from embshift.analysis.sampling.bootstrap import FEWEST, LEVEL, Intervals

__all__ = ["effective_trials", "replace_shares", "share_intervals", "wilson"]

_LEAST = 1e-12
"""Least design effect: a safe divisor where all images agree."""


def wilson(
    share: Float64[np.ndarray, " columns"],
    /,
    *,
    trials: Float64[np.ndarray, " columns"],
    level: float = LEVEL,
) -> tuple[Float64[np.ndarray, " columns"], Float64[np.ndarray, " columns"]]:
    """Return both ends of Wilson's score interval of a proportion.

    The ends are (p + z²/2n ∓ z √(p (1 − p)/n + z²/4n²)) / (1 + z²/n). Unlike a bootstrap of zeros and ones,
    the interval has a width where all or none are found.

    Args:
        share: Observed proportions p, from 0 to 1.
        trials: Number of independent trials n behind each, above 0; it need not be whole.
        level: Coverage.

    Returns:
        Lower and upper ends, from 0 to 1; NaN where a share is NaN or there is no trial.

    References:
        Wilson 1927, JASA 22(158); Brown, Cai & DasGupta 2001, Interval estimation for a binomial proportion,
        Statistical Science 16(2).
    """
    n = np.where(trials > 0, trials, np.nan)
    z = float(scipy.special.ndtri((1 + level) / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # At the bounds themselves the ends are exactly 0 and 1, up to rounding.
    low = np.where(share <= 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(share >= 1, 1.0, np.minimum(centre + half, 1.0))
    unknown = np.isnan(share) | np.isnan(n)
    return np.where(unknown, np.nan, low), np.where(unknown, np.nan, high)


def effective_trials(
    values: Float64[np.ndarray, "images columns"], /, *, most: Float64[np.ndarray, " columns"] | None = None
) -> Float64[np.ndarray, " columns"]:
    """Return the number of independent trials that carry as much information as the images do.

    It is n / D with the design effect D = min(1, s² / (p (1 − p))), s² the variance over images (n − 1). One
    draw per image gives 0 or 1 and D = 1. Several draws that agree within an image are worth little more than
    one; draws that are independent are worth all of them.

    Args:
        values: Shares from 0 to 1, one per image; NaN where undefined.
        most: Upper limit, the number of all draws; none if None.

    Returns:
        At least the number of defined values, and exactly that where all values are 0 or all are 1.
    """
    defined = ~np.isnan(values)
    n = defined.sum(axis=0).astype(np.float64)
    share = np.where(defined, values, 0.0).sum(axis=0) / np.maximum(n, 1)
    squares = (np.where(defined, values - share, 0.0) ** 2).sum(axis=0) / np.maximum(n - 1, 1)
    binary = share * (1 - share)
    # Without any spread between 0 and 1 nothing is known about the draws: an image counts once, or fully.
    effect = np.divide(squares, binary, out=np.ones_like(binary), where=(binary > 0) & (n > 1))
    found = n / np.clip(effect, _LEAST, 1.0)
    return found if most is None else np.minimum(found, np.maximum(most, n))


def share_intervals(
    values: Float64[np.ndarray, "images columns"],
    /,
    *,
    draws: Int64[np.ndarray, " columns"],
    level: float = LEVEL,
) -> Intervals:
    """Compute Wilson intervals of proportions: every draw of an image finds something or does not.

    Args:
        values: Mean over the draws of each image, from 0 to 1; NaN where undefined.
        draws: Number of all draws behind each column.
        level: Coverage.
    """
    defined = ~np.isnan(values)
    n = defined.sum(axis=0)
    totals = np.where(defined, values, 0.0).sum(axis=0)
    mean = np.divide(totals, n, out=np.full(values.shape[1], np.nan), where=n > 0)
    trials = effective_trials(values, most=draws.astype(np.float64))
    low, high = wilson(mean, trials=trials, level=level)
    return Intervals(mean=mean, low=low, high=high, n=n, plain=np.zeros(len(n), bool))


def replace_shares(
    found: Intervals,
    values: Float64[np.ndarray, "images columns"],
    /,
    *,
    bounds: Sequence[tuple[float, float]],
    proportions: Sequence[bool],
    crowded: Sequence[bool],
    draws: Sequence[int],
    level: float,
) -> Intervals:
    """Replace the bootstrap intervals of shares by Wilson's.

    Proportions always get Wilson's interval. Other bounded values that crowd at a bound (reciprocal ranks,
    overlaps) get it while fewer than ten images lie away from that bound: then a bootstrap sees hardly any of
    the rare values, and covers the mean far too seldom. On fewer than ten images they have no interval, as
    all means.

    Args:
        found: BCa intervals.
        values: Value of each image; NaN where undefined.
        bounds: Least and greatest possible value of each column.
        proportions: Whether a column is a proportion.
        crowded: Whether the values of a column crowd at a bound otherwise.
        draws: Number of all draws behind each column.
        level: Coverage.
    """
    proportion = np.array(proportions, bool)
    few = np.array(crowded, bool) & (found.n >= FEWEST)
    share = proportion | few
    low = np.array([one[0] if own else 0.0 for one, own in zip(bounds, share, strict=True)])
    high = np.array([one[1] if own else 1.0 for one, own in zip(bounds, share, strict=True)])
    scaled = np.where(share, (values - low) / (high - low), np.nan)
    taken = proportion | (few & (_away(scaled) < FEWEST))
    most = np.where(proportion, np.array(draws, np.float64), np.inf)
    mean = np.where(share, np.clip((found.mean - low) / (high - low), 0.0, 1.0), np.nan)
    ends = wilson(mean, trials=effective_trials(scaled, most=most), level=level)
    return replace(
        found,
        low=np.where(taken, low + (high - low) * ends[0], found.low),
        high=np.where(taken, low + (high - low) * ends[1], found.high),
        plain=found.plain & ~taken,
    )


def _away(scaled: Float64[np.ndarray, "images columns"]) -> Int64[np.ndarray, " columns"]:
    """Return the number of images away from 0, or that of those away from 1, whichever is less."""
    defined = ~np.isnan(scaled)
    return np.minimum((defined & (scaled != 0)).sum(axis=0), (defined & (scaled != 1)).sum(axis=0))
