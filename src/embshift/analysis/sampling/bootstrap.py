"""Paired bootstrap over images, and BCa intervals of means.

The image is the unit of resampling. A resample draws as many images as there are, with replacement, and takes
all values of each, so that transforms and metrics are always compared on the same images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Bool, Float64, Int64

from embshift.core.records import Record

__all__ = [
    "FEWEST",
    "LEVEL",
    "RESAMPLES",
    "Intervals",
    "bca",
    "draw_counts",
    "influence",
    "means",
    "outer_quantiles",
    "resampled_means",
    "weighted_means",
]

RESAMPLES = 10_000
"""Default number of resamples."""

LEVEL = 0.95
"""Default coverage of intervals."""

FEWEST = 10
"""Number of images from which on bootstrap intervals are given: on fewer they hold far too seldom."""

COUNTS_AT_ONCE = 1 << 22
"""Counts held at once: 32 MiB as float64, whatever the number of images and resamples."""

_COUNTED_AT_ONCE = 1 << 14
"""Images counted at once: their counts stay in a core's cache."""

_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intervals:
    """Means with their intervals, of any shape.

    Attributes:
        mean: Mean over images, in the unit of the values; NaN without a defined value.
        low: Lower end of the interval, in the same unit; NaN where there is none, as for a bootstrap over
            fewer than ten images.
        high: Upper end.
        n: Number of images with a defined value.
        plain: Where the plain percentile interval is used, since BCa's corrections are undefined: there is no
            spread, or no resample on one side of the mean.
    """

    mean: Float64[np.ndarray, "..."]
    low: Float64[np.ndarray, "..."]
    high: Float64[np.ndarray, "..."]
    n: Int64[np.ndarray, "..."]
    plain: Bool[np.ndarray, "..."]

    def record(self, at: int, /, *, names: Sequence[str]) -> Record:
        """Return mean, ends and n of one row by name, as columns of a table.

        Args:
            at: The row along the first axis.
            names: Name of each column along the second axis, or of the one column there is.
        """
        record: Record = {}
        for place, name in enumerate(names):
            for part in ("mean", "low", "high"):
                record[f"{name}_{part}"] = float(getattr(self, part)[at].reshape(-1)[place])
            record[f"{name}_n"] = int(self.n[at].reshape(-1)[place])
        return record


def weighted_means(
    values: Float64[np.ndarray, "images columns"], *, resamples: int, seed: int
) -> Float64[np.ndarray, "resamples columns"]:
    """Compute the mean of every column over the images of every resample.

    A resample is stored as the number of times each image was drawn: multinomial counts. A block of counts
        times the values is one matrix product (BLAS), in place of one gather per resample. The same seed and
        number of images give the same resamples, whatever the columns.

    Args:
        values: Finite values.
        resamples: Number of resamples.
        seed: Seed of the resamples.

    Returns:
        Means, in the unit of the values.
    """
    images = len(values)
    found = np.full((resamples, values.shape[1]), np.nan)
    if not images:
        return found
    done = 0
    for counts in draw_counts(images, resamples=resamples, seed=seed):
        found[done : done + len(counts)] = counts @ values
        done += len(counts)
    return found / images


def draw_counts(images: int, *, resamples: int, seed: int) -> Iterator[Float64[np.ndarray, "block images"]]:
    """Draw how often each image is in each resample, block by block.

    Args:
        images: Number of images, 1 or more.
        resamples: Number of resamples.
        seed: Their seed; the same one gives the same resamples to everything that is computed on them.
    """
    rng = np.random.default_rng(seed)
    block = max(1, COUNTS_AT_ONCE // images)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        # Drawing and counting takes a tenth of the time of `Generator.multinomial` with as many categories.
        yield _count(rng.integers(images, size=(rows, images)))


def _count(drawn: Int64[np.ndarray, "block images"]) -> Float64[np.ndarray, "block images"]:
    """Count how often each image is in each row, a few rows at a time."""
    rows, images = drawn.shape
    few, found = max(1, _COUNTED_AT_ONCE // images), np.empty((rows, images))
    drawn += (np.arange(rows) % few)[:, None] * images
    for start in range(0, rows, few):
        part = drawn[start : start + few]
        found[start : start + few] = np.bincount(part.ravel(), minlength=part.size).reshape(part.shape)
    return found


def resampled_means(
    values: Float64[np.ndarray, "images columns"], *, resamples: int, seed: int
) -> Float64[np.ndarray, "resamples columns"]:
    """Compute the mean over the defined values of every resample; NaN where a resample has none.

    Args:
        values: NaN where undefined or not taken.
        resamples: Number of resamples.
        seed: Seed of the resamples.
    """
    defined = ~np.isnan(values)
    centre = means(values)
    # Deviations instead of values keep precision where a column's spread is small compared with its mean.
    deviations = np.where(defined, values - centre, 0.0)
    # Metrics are taken on the same images for all transforms, so few columns of the mask differ.
    masks, which = np.unique(defined, axis=1, return_inverse=True)
    both = np.concatenate([deviations, masks.astype(np.float64)], axis=1)
    found = weighted_means(both, resamples=resamples, seed=seed)
    totals, shares = found[:, : values.shape[1]], found[:, values.shape[1] :][:, which.ravel()]
    # Shares are sums of counts over images, so 0 is exactly 0.
    return centre + np.divide(totals, shares, out=np.full_like(totals, np.nan), where=shares > 0)


def means(values: Float64[np.ndarray, "images columns"]) -> Float64[np.ndarray, " columns"]:
    """Compute the mean of every column over its defined values; NaN where there is none."""
    defined = ~np.isnan(values)
    totals, n = np.where(defined, values, 0.0).sum(axis=0), defined.sum(axis=0)
    return np.divide(totals, n, out=np.full(values.shape[1], np.nan), where=n > 0)


def influence(values: Float64[np.ndarray, "images columns"]) -> Float64[np.ndarray, "images columns"]:
    """Compute the influence of each image on each mean: N/n · (value − mean), 0 where the value is undefined.

    Its mean over the images of a resample is the deviation of that resample's mean from the mean of all
    images: exactly where no value is undefined, to first order elsewhere. For a single mean, these are the
    jackknife's values up to a factor, so the acceleration has a closed form. For a sum of means over
    different numbers of images, they are those of the infinitesimal jackknife.
    """
    defined = ~np.isnan(values)
    n = np.maximum(defined.sum(axis=0), 1)
    return np.where(defined, values - means(values), 0.0) * (len(values) / n)


def bca(
    resampled: Float64[np.ndarray, "resamples columns"],
    /,
    *,
    mean: Float64[np.ndarray, " columns"],
    pulls: Float64[np.ndarray, "images columns"],
    n: Int64[np.ndarray, " columns"],
    level: float = LEVEL,
) -> Intervals:
    """Compute bias-corrected and accelerated intervals.

    With z₀ = Φ⁻¹(share of resampled means below the mean, ties half) and a = Σu³ / (6 (Σu²)^1.5) over images,
    the ends are the quantiles Φ(z₀ + (z₀ ± z) / (1 − a (z₀ ± z))) of the resampled means. z is expanded for
    few images: √(n / (n − 1)) times the quantile of Student's t with n − 1 degrees of freedom, in place of
    the normal one. The intervals say nothing about images unlike those measured.

    Args:
        resampled: Means over the resamples; NaN, which is left out, where a resample has no defined value.
        mean: Means over the images.
        pulls: The `influence` u of each image, up to a factor per column.
        n: Number of images with a defined value.
        level: Coverage.

    Returns:
        One interval per column, in the unit of the means; none for fewer than ten images.

    References:
        Efron 1987, Better bootstrap confidence intervals, JASA 82(397), section 3; Efron & Tibshirani 1993,
        An introduction to the bootstrap, section 14.3; Hesterberg 2015, What teachers should know about the
        bootstrap (arXiv 1411.5279), section 5.3, for the expansion.
    """
    outer = _outer_levels(n, level=level)
    levels, plain = _quantile_levels(mean, resampled, pulls=pulls, outer=outer)
    ends = _quantiles(resampled, levels)
    ends[:, n < FEWEST] = np.nan
    return Intervals(mean=mean, low=ends[0], high=ends[1], n=n, plain=plain & (n >= FEWEST))


def outer_quantiles(n: Int64[np.ndarray, " columns"], *, level: float) -> Float64[np.ndarray, " columns"]:
    """Return the normal quantile that an interval reaches to on either side, expanded for few images."""
    images = np.maximum(n, 2)
    return np.sqrt(images / (images - 1)) * scipy.special.stdtrit(images - 1, (1 + level) / 2)


def _outer_levels(n: Int64[np.ndarray, " columns"], *, level: float) -> Float64[np.ndarray, "2 columns"]:
    """Return the quantile levels of a percentile interval, expanded for few images."""
    wide = outer_quantiles(n, level=level)
    return scipy.special.ndtr(np.stack([-wide, wide]))


def _quantile_levels(
    mean: Float64[np.ndarray, " columns"],
    resampled: Float64[np.ndarray, "resamples columns"],
    *,
    pulls: Float64[np.ndarray, "images columns"],
    outer: Float64[np.ndarray, "2 columns"],
) -> tuple[Float64[np.ndarray, "2 columns"], Bool[np.ndarray, " columns"]]:
    """Return the quantile levels of both ends, and where they are the plain ones."""
    drawn = np.maximum((~np.isnan(resampled)).sum(axis=0), 1)
    # A resample with every image once has the mean itself, up to rounding: neither below nor above.
    most = np.abs(pulls).max(axis=0, initial=0.0)
    same = _ROUNDING * np.maximum(np.abs(mean), most)
    below = ((resampled < mean - same).sum(axis=0) + (resampled <= mean + same).sum(axis=0)) / (2 * drawn)
    squares, cubes = (pulls**2).sum(axis=0), (pulls**3).sum(axis=0)
    # Equal values may differ from their mean by rounding: that is no spread.
    spread = np.where(most > _ROUNDING * np.abs(mean), squares, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        bias, acceleration = scipy.special.ndtri(below), cubes / (6 * spread**1.5)
        shifted = bias + scipy.special.ndtri(outer)
        scale = 1 - acceleration * shifted
        skewed = scipy.special.ndtr(bias + shifted / scale)
    plain = ~np.isfinite(skewed).all(axis=0) | ~np.isfinite(bias) | (scale <= 0).any(axis=0)
    return np.where(plain, outer, skewed), plain


def _quantiles(
    resampled: Float64[np.ndarray, "resamples columns"], levels: Float64[np.ndarray, "2 columns"]
) -> Float64[np.ndarray, "2 columns"]:
    """Compute quantiles of the defined means, each column at its own levels, by linear interpolation."""
    ordered = np.sort(resampled, axis=0)  # NaN last
    drawn = (~np.isnan(resampled)).sum(axis=0)
    place = levels * np.maximum(drawn - 1, 0)
    lower = np.floor(place).astype(np.int64)
    upper = np.minimum(lower + 1, np.maximum(drawn - 1, 0))
    column = np.arange(resampled.shape[1])
    first, second = ordered[lower, column], ordered[upper, column]
    return first + (place - lower) * (second - first)
