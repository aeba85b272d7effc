"""Moments of columns up to the third, which merge: of two parts, those of both together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

__all__ = ["Moments", "measure_moments", "merge_moments"]

Column = Float64[np.ndarray, " columns"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Moments of the defined values of each column.

    Attributes:
        n: Number of defined values.
        mean: Their mean, in the unit of the values; 0 without a value.
        squares: Sum of squared deviations from the mean.
        cubes: Sum of cubed deviations.
        low: Least finite value; infinite without one.
        high: Greatest finite value; minus infinite without one.
    """

    n: Int64[np.ndarray, " columns"]
    mean: Column
    squares: Column
    cubes: Column
    low: Column
    high: Column

    @property
    def known_mean(self) -> Column:
        """The means; NaN without a value."""
        return np.where(self.n > 0, self.mean, np.nan)

    @property
    def deviation(self) -> Column:
        """Standard deviations (n - 1); NaN for fewer than two values."""
        variance = np.divide(self.squares, self.n - 1, out=np.full(len(self.n), np.nan), where=self.n > 1)
        return np.sqrt(variance)


def measure_moments(values: Float64[np.ndarray, "images columns"], /) -> Moments:
    """Compute moments; NaN is left out."""
    defined = ~np.isnan(values)
    n = defined.sum(axis=0)
    mean = np.where(defined, values, 0.0).sum(axis=0) / np.maximum(n, 1)
    apart = np.where(defined, values - mean, 0.0)
    squares, finite = apart * apart, np.isfinite(values)
    return Moments(
        n=n,
        mean=mean,
        squares=squares.sum(axis=0),
        cubes=(squares * apart).sum(axis=0),
        low=np.where(finite, values, np.inf).min(axis=0, initial=np.inf),
        high=np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf),
    )


def merge_moments(one: Moments, other: Moments, /) -> Moments:
    """Merge the moments of two parts.

    Merging is not associative in its last digits, so parts are always merged in one order.

    References:
        Chan, Golub & LeVeque 1979, Updating formulae and a pairwise algorithm for computing sample variances;
        Pébay 2008, Formulas for robust, one-pass parallel computation of covariances and arbitrary-order
        statistical moments (SAND2008-6212), equation 2.1 for p = 3.
    """
    n = one.n + other.n
    share = other.n / np.maximum(n, 1)
    rest = one.n / np.maximum(n, 1)
    apart = np.where((one.n > 0) & (other.n > 0), other.mean - one.mean, 0.0)
    return Moments(
        n=n,
        mean=np.where(one.n > 0, one.mean + apart * share, other.mean),
        squares=one.squares + other.squares + apart**2 * (one.n * share),
        cubes=one.cubes
        + other.cubes
        + apart**3 * (one.n * share * (rest - share))
        + 3 * apart * (rest * other.squares - share * one.squares),
        low=np.minimum(one.low, other.low),
        high=np.maximum(one.high, other.high),
    )
