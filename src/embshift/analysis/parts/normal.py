"""Means of many images as normal variables: covariance, draws from it, and intervals that know of skew."""

import numpy as np
from jaxtyping import Bool, Float64, Int64

from embshift.analysis.parts.part import Part, find_centres
from embshift.analysis.sampling.bootstrap import FEWEST, Intervals, outer_quantiles

__all__ = [
    "clear_rounding",
    "draw_normal",
    "has_spread",
    "make_intervals",
    "measure_covariance",
    "standard_errors",
]


_EQUAL = 1e-12
"""Variances of differences up to this share of both variances are rounding: the columns are equal."""

_ROUNDING = 1e-12

Column = Float64[np.ndarray, " columns"]
Square = Float64[np.ndarray, "columns columns"]


def measure_covariance(part: Part) -> Square:
    """Return the covariance of the means of all columns over other images of the same kind.

    It is that of means over resamples of the images: Σ (x − x̄)(y − ȳ) / (nₓ n_y) over the images on which
    both are defined.
    """
    sums, n = part.products, np.maximum(part.moments.n, 1)
    middle = np.where(part.moments.n > 0, part.moments.mean - _spread_centres(part), 0.0)
    cross = sums.cross - sums.sums * middle - (sums.sums * middle).T + sums.n * (middle[:, None] * middle)
    np.fill_diagonal(cross, part.moments.squares)
    return cross / (n[:, None] * n)


def clear_rounding(covariance: Square, /) -> Square:
    """Return a covariance that was computed from others with 0 for variances that rounding made negative."""
    return covariance + np.diag(np.maximum(-np.diag(covariance), 0.0))


def _spread_centres(part: Part) -> Column:
    return np.tile(find_centres(part.metrics), len(part.transforms))


def standard_errors(covariance: Square, *, images: int) -> Square:
    """Return the standard error of the difference of every two means.

    It is never less than what rounding may add to the difference of equal columns.

    Args:
        covariance: Covariance of the means.
        images: Number of images.
    """
    own = np.diag(covariance)
    both = own[:, None] + own
    variance = np.maximum(both - 2 * covariance, _EQUAL * both)
    found = np.sqrt(variance * (images / max(images - 1, 1)))
    np.fill_diagonal(found, 0.0)
    return found


def draw_normal(covariance: Square, *, resamples: int, seed: int) -> Float64[np.ndarray, "resamples columns"]:
    """Draw normal variables with mean 0; columns that are equal get equal draws.

    Args:
        covariance: Their covariance, which may be singular.
        resamples: Number of draws.
        seed: Their seed.
    """
    size = np.sqrt(np.diag(covariance))
    scale = np.where(size > 0, size, 1.0)
    values, vectors = np.linalg.eigh(covariance / (scale[:, None] * scale))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    normal = np.random.default_rng(seed).standard_normal((resamples, len(covariance)))
    return ((normal @ root.T) * size)[:, _find_first_equal(covariance)]


def _find_first_equal(covariance: Square) -> Int64[np.ndarray, " columns"]:
    """Return for each column the first that equals it, up to a constant."""
    own = np.diag(covariance)
    both = own[:, None] + own
    if not len(own):
        return np.zeros(0, np.int64)
    return np.asarray(np.argmax(both - 2 * covariance <= _EQUAL * both, axis=1))


def make_intervals(
    mean: Float64[np.ndarray, "*shape"],
    *,
    error: Float64[np.ndarray, "*shape"],
    acceleration: Float64[np.ndarray, "*shape"],
    spread: Bool[np.ndarray, "*shape"],
    n: Int64[np.ndarray, "*shape"],
    level: float,
) -> Intervals:
    """Return BCa intervals in closed form, by the skew of the mean's distribution.

    With a = Σu³ / (6 (Σu²)^1.5), the quantile Φ(w) of the mean is x̄ + se (w + a (w² − 1)), by the expansion
    of Cornish and Fisher. So the bias correction z₀ is a, and the ends are at w = a + (a ± z) / (1 − a (a ±
    z)).

    Args:
        mean: Means.
        error: Their standard errors.
        acceleration: a of each.
        spread: Whether the values differ by more than rounding.
        n: Number of images with a defined value.
        level: Coverage.

    References:
        Efron 1987, Better bootstrap confidence intervals, JASA 82(397), sections 3 and 5; Cornish & Fisher
        1938, Moments and cumulants in the specification of distributions.
    """
    wide = outer_quantiles(n.ravel(), level=level).reshape(n.shape)
    ends = list[Float64[np.ndarray, "..."]]()
    plain = ~spread | ~np.isfinite(acceleration)
    a = np.where(plain, 0.0, acceleration)
    for sign in (-1.0, 1.0):
        outer = a + sign * wide
        scale = 1 - a * outer
        w = a + outer / np.where(scale > 0, scale, 1.0)
        plain = plain | (scale <= 0)
        ends.append(mean + error * (w + a * (w**2 - 1)))
    few = n < FEWEST
    low, high = (
        np.where(few, np.nan, np.where(plain, mean + s * wide * error, end))
        for s, end in zip((-1.0, 1.0), ends, strict=True)
    )
    return Intervals(mean=mean, low=low, high=high, n=n, plain=plain & ~few)


def has_spread(part: Part) -> Bool[np.ndarray, " columns"]:
    """Return which columns have values that differ from their mean by more than rounding."""
    found = part.moments
    with np.errstate(invalid="ignore"):
        most = np.maximum(found.high - found.mean, found.mean - found.low)
    return np.asarray((found.n > 0) & (most > _ROUNDING * np.abs(found.mean)))
