"""Gaussian kernel density within the bounds of the values."""

import numpy as np
from jaxtyping import Float64

__all__ = ["bandwidth", "density", "has_density"]


_BINS = 2048


def has_density(values: Float64[np.ndarray, " images"]) -> bool:
    """Return whether a density exists: whether two values differ."""
    return len(values) > 1 and float(np.ptp(values)) > 1e-9 * float(np.abs(values).max())


def bandwidth(values: Float64[np.ndarray, " images"]) -> float:
    """Return Scott's bandwidth: the standard deviation over the fifth root of the number of values."""
    return float(values.std(ddof=1)) * len(values) ** -0.2


def density(
    values: Float64[np.ndarray, " images"],
    *,
    at: Float64[np.ndarray, " points"],
    bounds: tuple[float, float],
) -> Float64[np.ndarray, " points"]:
    """Return the Gaussian kernel density with Scott's bandwidth, mirrored at the bounds.

    No density lies beyond the bounds. Each bound mirrors once, so a kernel as wide as the whole range loses
    a little.

    Args:
        values: Defined values, at least two of which differ.
        at: Points at which to evaluate the density, within the bounds.
        bounds: Least and greatest possible value.

    Returns:
        Density per unit of the values.

    References:
        Scott 1992, Multivariate density estimation; Silverman 1986, section 2.10 (reflection).
    """
    width = bandwidth(values)
    low, high = bounds
    images = [at]
    images += [2 * low - at] if np.isfinite(low) else []
    images += [2 * high - at] if np.isfinite(high) else []
    kernels, counts = _bin_values(values)
    total = np.zeros(len(at))
    for points in images:
        total += np.exp(-0.5 * ((points[:, None] - kernels) / width) ** 2) @ counts
    return total / (len(values) * width * np.sqrt(2 * np.pi))


def _bin_values(
    values: Float64[np.ndarray, " images"],
) -> tuple[Float64[np.ndarray, " bins"], Float64[np.ndarray, " bins"]]:
    """Return the values, or for many values bins far narrower than a kernel; and the count of each."""
    if len(values) <= _BINS:
        return values, np.ones(len(values))
    counts, edges = np.histogram(values, bins=_BINS)
    taken = counts > 0
    return (edges[:-1] + edges[1:])[taken] / 2, counts[taken].astype(np.float64)
