"""How well the worst case of transforms, or another measure, predicts how often labels flip."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float64

from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES, Intervals, bca, means, resampled_means
from embshift.core.errors import PlanError
from embshift.core.named import find_position
from embshift.core.words import count_noun

__all__ = ["FEWEST_IMAGES", "FEWEST_TRANSFORMS", "FlipPrediction", "predict_flips"]

FEWEST_TRANSFORMS = 8
"""Number of transforms from which on a rank correlation over them is computed."""

FEWEST_IMAGES = 60
"""Number of images from which on a correlation has an interval: on fewer it holds too seldom where flip rates
lie close together, in 88 to 92 % of simulated runs of 10 to 30 images."""

_DIGITS = 11
"""Decimal digits of means, relative to the greatest, to which ties are told."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlipPrediction:
    """How well measures predict, over transforms, how often labels flip.

    Attributes:
        predictors: Names of the measures.
        spearman: Spearman's rank correlation over transforms of the mean measure and the flip rate, with
            intervals over images, the transforms fixed, from 60 images on; NaN where either is the same for
            all transforms.
        kendall: Kendall's τ-b of the same.
        transforms: Number of transforms.
        images: Number of images.
        level: Coverage of each interval.
    """

    predictors: tuple[str, ...]
    spearman: Intervals
    kendall: Intervals
    transforms: int
    images: int
    level: float

    def measure(self, predictor: str) -> tuple[float, float, float]:
        """Return Spearman's correlation of a predictor, and the ends of its interval.

        Raises:
            UnknownNameError: If there is no such predictor.
        """
        at, found = find_position(self.predictors, predictor, kind="predictor"), self.spearman
        return float(found.mean[at]), float(found.low[at]), float(found.high[at])


def predict_flips(
    flips: Float64[np.ndarray, "images transforms"],
    predictors: Mapping[str, Float64[np.ndarray, "_images _transforms"]],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> FlipPrediction:
    """Correlate, over transforms, how often labels flip with what might predict it.

    Every transform has its mean over images of the flips and of each predictor; the correlation is over
    transforms. Intervals are by a bootstrap over images, which is widened by its reflection, and hold for
    these transforms, not for others.

    Args:
        flips: Share of the views of each image whose label flips; NaN where it is not known.
        predictors: By name, the value of each image, e.g. its divergence radius; NaN where it is not known.
        resamples: Number of resamples of the images.
        level: Coverage of each interval.
        seed: Seed of the resamples.

    Raises:
        PlanError: If sizes do not fit, or there are fewer than eight transforms with known values.
    """
    for name, one in predictors.items():
        if one.shape != flips.shape:
            raise PlanError(
                f"predictor '{name}' has the shape {one.shape}, flips {flips.shape}; expected the same: "
                "(images, transforms)"
            )
    table = np.stack([flips, *predictors.values()], axis=1)  # images sides transforms
    kept = (~np.isnan(table)).any(axis=0).all(axis=0)
    if kept.sum() < FEWEST_TRANSFORMS:
        raise PlanError(
            f"{count_noun(int(kept.sum()), 'transform')} with known values; expected {FEWEST_TRANSFORMS} or"
            " more for a rank correlation over transforms"
        )
    table = table[:, :, kept]
    images, sides, transforms = table.shape
    flat = table.reshape(images, -1)
    shape = (-1, sides, transforms)
    drawn = resampled_means(flat, resamples=resamples, seed=seed).reshape(shape)
    whole = means(flat).reshape(shape)
    found = [
        _surround(correlate(_settle(drawn)), mean=correlate(_settle(whole))[0], images=images, level=level)
        for correlate in (_correlate_ranks, _correlate_pairs)
    ]
    return FlipPrediction(
        predictors=tuple(predictors),
        spearman=found[0],
        kendall=found[1],
        transforms=transforms,
        images=images,
        level=level,
    )


def _surround(
    drawn: Float64[np.ndarray, "resamples predictors"],
    *,
    mean: Float64[np.ndarray, " predictors"],
    images: int,
    level: float,
) -> Intervals:
    """Return the percentile interval of each correlation, joined with its reflection about the correlation.

    Noise of the means lowers a rank correlation, in a resample once more than in the sample. So where the
    order of the transforms is open, resamples lie below the value, and the true one is as likely above it.
    """
    # Without pulls it is the plain percentile interval, expanded for few images.
    found = bca(
        drawn,
        mean=mean,
        pulls=np.zeros((images, len(mean))),
        n=np.full(len(mean), images if images >= FEWEST_IMAGES else 0),
        level=level,
    )
    low, high = np.minimum(found.low, 2 * mean - found.high), np.maximum(found.high, 2 * mean - found.low)
    return Intervals(
        mean=mean,
        low=np.clip(low, -1.0, 1.0),
        high=np.clip(high, -1.0, 1.0),
        n=np.full(len(mean), images),
        plain=found.plain,
    )


def _settle(values: Float64[np.ndarray, "sets sides transforms"]) -> Float64[np.ndarray, "sets sides _"]:
    """Round means relative to the greatest of their side, so that equal ones tie whatever the rounding."""
    most = np.nanmax(np.abs(values), axis=(0, 2), keepdims=True, initial=0.0)
    return np.round(values / np.where(most > 0, most, 1.0), _DIGITS)


def _correlate_ranks(values: Float64[np.ndarray, "sets sides transforms"]) -> Float64[np.ndarray, "sets _"]:
    """Compute Spearman's correlation of the first side with each other one."""
    ranks = scipy.stats.rankdata(values, axis=2)  # NaN makes all ranks of its row NaN
    return _correlate(ranks - ranks.mean(axis=2, keepdims=True))


def _correlate_pairs(values: Float64[np.ndarray, "sets sides transforms"]) -> Float64[np.ndarray, "sets _"]:
    """Compute Kendall's τ-b of the first side with each other one."""
    first, second = np.triu_indices(values.shape[2], k=1)
    step = max(1, (1 << 22) // (len(first) * values.shape[1]))
    parts = [
        _correlate(np.sign(values[at : at + step][..., first] - values[at : at + step][..., second]))
        for at in range(0, len(values), step)
    ]
    return np.concatenate(parts)


def _correlate(deviations: Float64[np.ndarray, "sets sides items"]) -> Float64[np.ndarray, "sets _"]:
    """Return the cosine of the first side with each other one; NaN where either is 0."""
    products = np.einsum("ijk,ik->ij", deviations[:, 1:], deviations[:, 0])
    squares = np.einsum("ijk,ijk->ij", deviations, deviations)
    lengths = np.sqrt(squares[:, 1:] * squares[:, :1])
    return np.divide(products, lengths, out=np.full(products.shape, np.nan), where=lengths > 0)
