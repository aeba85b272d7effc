"""Shifts at equal damage, cross-fitted: strengths solved on one half of the images, used on the other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from embshift.analysis.sampling.bootstrap import FEWEST, Intervals, bca, draw_counts

__all__ = ["SPLITS", "CrossFit", "Measured", "cross_fit", "interval_of", "split_images"]

SPLITS = 5
"""Number of random splits of the images into two halves."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """One transform at several strengths near the wanted damage, from mild to severe.

    Attributes:
        damage: Damage of each image at each strength; NaN where it was not measured.
        values: What is to be compared, of each image at each strength; NaN where undefined.
        target: The wanted mean damage.
    """

    damage: Float64[np.ndarray, "images levels"]
    values: Float64[np.ndarray, "images levels"]
    target: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CrossFit:
    """Means at equal damage, over images that had no part in finding the strength.

    Attributes:
        by_image: Mean over splits of the value of each image; NaN where undefined.
        mean: Its mean over images.
        resampled: The same on every resample of the images, with the strengths found anew.
        pulls: Influence of each image on the mean, as a value and as a part of the fit.
        place: Mean over splits and halves of the place among the strengths, from 0 for the first.
    """

    by_image: Float64[np.ndarray, " images"]
    mean: float
    resampled: Float64[np.ndarray, " resamples"]
    pulls: Float64[np.ndarray, " images"]
    place: float


def split_images(images: int, *, seed: int, splits: int = SPLITS) -> Bool[np.ndarray, "splits images"]:
    """Return random halves: whether an image is in the first half of each split.

    Args:
        images: Number of images.
        seed: Seed of the splits.
        splits: Number of splits.
    """
    rng = np.random.default_rng((seed, 5))
    found = np.zeros((splits, images), bool)
    for half in found:
        half[rng.permutation(images)[: images // 2]] = True
    return found


def cross_fit(
    measured: Measured, /, *, halves: Bool[np.ndarray, "splits images"], resamples: int, seed: int
) -> CrossFit:
    """Compute the mean of values at the strength of a wanted damage, each half solved on the other.

    In every split the strength at which the mean damage of one half is the target is found by linear
    interpolation between the measured strengths, and never beyond them. The values of the other half are
    interpolated to that strength. Values are averaged for each image over splits first: splits are no
    samples. The bootstrap resamples images, which stay in their halves, and repeats all of this.

    Args:
        measured: Damage and values at several strengths.
        halves: Result of `split_images`.
        resamples: Number of resamples.
        seed: Their seed.
    """
    data = _clean(measured)
    ones = np.ones((1, len(halves[0])))
    mean, place = _means(data, halves, ones)
    found = [
        _means(data, halves, counts)[0]
        for counts in draw_counts(len(ones[0]), resamples=resamples, seed=seed)
    ]
    by_image, pulls = _by_image(data, halves, mean=float(mean[0]))
    return CrossFit(
        by_image=by_image,
        mean=float(mean[0]),
        resampled=np.concatenate(found) if found else np.empty(0),
        pulls=pulls,
        place=float(place[0]),
    )


def interval_of(found: CrossFit, *, level: float) -> Intervals:
    """Return the BCa interval of a mean at equal damage, with the fits inside the bootstrap."""
    n = int((~np.isnan(found.by_image)).sum())
    unknown = n < FEWEST or np.isnan(found.resampled).all()
    return bca(
        found.resampled[:, None],
        mean=np.array([found.mean]),
        pulls=found.pulls[:, None],
        n=np.array([0 if unknown else n]),
        level=level,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Data:
    """Values with 0 where unknown, and which images are known."""

    damage: Float64[np.ndarray, "images levels"]
    values: Float64[np.ndarray, "images levels"]
    fits: Float64[np.ndarray, " images"]
    counts: Float64[np.ndarray, " images"]
    target: float


def _clean(measured: Measured) -> _Data:
    fits = np.asarray(~np.isnan(measured.damage).any(axis=1))
    counts = np.asarray(~np.isnan(measured.values).any(axis=1))
    return _Data(
        damage=np.where(fits[:, None], measured.damage, 0.0),
        values=np.where(counts[:, None], measured.values, 0.0),
        fits=fits.astype(np.float64),
        counts=counts.astype(np.float64),
        target=measured.target,
    )


def _means(
    data: _Data, halves: Bool[np.ndarray, "splits images"], weights: Float64[np.ndarray, "resamples images"]
) -> tuple[Float64[np.ndarray, " resamples"], Float64[np.ndarray, " resamples"]]:
    """Return the cross-fitted mean of every resample, and the mean place of the strengths."""
    total, places = np.zeros(len(weights)), np.zeros(len(weights))
    for half in halves:
        for fitted, valued in ((half, ~half), (~half, half)):
            place = _solve(_half_means(data.damage, data.fits, weights, fitted), data.target)
            sums = weights[:, valued] @ data.values[valued]  # resamples levels
            total += _at(sums, place)
            places += place
    known = weights @ data.counts
    mean = np.divide(total / len(halves), known, out=np.full(len(weights), np.nan), where=known > 0)
    return mean, places / (2 * len(halves))


def _half_means(
    values: Float64[np.ndarray, "images levels"],
    known: Float64[np.ndarray, " images"],
    weights: Float64[np.ndarray, "resamples images"],
    half: Bool[np.ndarray, " images"],
) -> Float64[np.ndarray, "resamples levels"]:
    sums, n = weights[:, half] @ values[half], weights[:, half] @ known[half]
    return np.divide(sums, n[:, None], out=np.full(sums.shape, np.nan), where=n[:, None] > 0)


def _solve(
    damage: Float64[np.ndarray, "resamples levels"], target: float
) -> Float64[np.ndarray, " resamples"]:
    """Return the place among the levels where the damage is the target: the nearest level if none is.

    NaN where the damage is unknown.
    """
    levels = damage.shape[1]
    place = np.argmin(np.abs(damage - target), axis=1).astype(np.float64)
    for at in range(levels - 1):
        one, other = damage[:, at], damage[:, at + 1]
        within = (np.minimum(one, other) <= target) & (target <= np.maximum(one, other)) & (one != other)
        share = np.divide(target - one, other - one, out=np.zeros(len(one)), where=within)
        place = np.where(within, at + share, place)
    return np.where(np.isnan(damage).any(axis=1), np.nan, place)


def _at(
    values: Float64[np.ndarray, "rows levels"], place: Float64[np.ndarray, " rows"]
) -> Float64[np.ndarray, " rows"]:
    """Interpolate every row at its own place; NaN where the place is."""
    low, high, share = _between(place, levels=values.shape[1])
    rows = np.arange(len(values))
    return values[rows, low] + share * (values[rows, high] - values[rows, low])


def _between(
    place: Float64[np.ndarray, " rows"], *, levels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    low = np.clip(np.floor(np.nan_to_num(place)).astype(np.int64), 0, max(levels - 2, 0))
    return low, np.minimum(low + 1, levels - 1), place - low


def _by_image(
    data: _Data, halves: Bool[np.ndarray, "splits images"], *, mean: float
) -> tuple[Float64[np.ndarray, " images"], Float64[np.ndarray, " images"]]:
    """Return the value of each image, averaged over splits, and its influence on the mean.

    An image pulls by its own value, and by its damage, which moves the strength that the other half is
    evaluated at.
    """
    images = len(data.counts)
    known = max(float(data.counts.sum()), 1.0)
    values, fitting = np.zeros(images), np.zeros(images)
    weights = np.ones((1, images))
    for half in halves:
        for fitted, valued in ((half, ~half), (~half, half)):
            damage = _half_means(data.damage, data.fits, weights, fitted)
            place = _solve(damage, data.target)
            values[valued] += _at(data.values[valued], np.repeat(place, valued.sum()))
            low, high, _ = (ends[0] for ends in _between(place, levels=data.damage.shape[1]))
            steep = damage[0, high] - damage[0, low]
            if np.isnan(place[0]) or not steep or not 0 < place[0] < data.damage.shape[1] - 1:
                continue
            rise = (data.values[valued, high] - data.values[valued, low]).sum() / known
            off = _at(data.damage[fitted], np.repeat(place, fitted.sum())) - data.target
            n = max(float(data.fits[fitted].sum()), 1.0)
            fitting[fitted] -= np.where(data.fits[fitted] > 0, off, 0.0) / (n * steep) * rise * images
    own = np.where(data.counts > 0, values / len(halves), np.nan)
    pulls = np.where(data.counts > 0, own - mean, 0.0) * images / known + fitting / len(halves)
    return own, np.nan_to_num(pulls)
