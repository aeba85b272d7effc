"""Values of views as values of images: draws averaged, images resampled."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.sampling.bootstrap import (
    LEVEL,
    RESAMPLES,
    Intervals,
    bca,
    influence,
    means,
    resampled_means,
)

__all__ = ["ImageMeans", "average_draws", "mean_over_images"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageMeans:
    """Means over images with their intervals.

    Attributes:
        estimates: One mean per column, each with the number of images behind it.
        undefined: Number of images without a defined value, by column.
        level: Coverage of each interval.
    """

    estimates: Intervals
    undefined: Int64[np.ndarray, " columns"]
    level: float


def average_draws(
    rows: Int64[np.ndarray, " views"], values: Float64[np.ndarray, "views columns"]
) -> Float64[np.ndarray, "images columns"]:
    """Return the mean over each image's draws that have a value; NaN where none has.

    Args:
        rows: Row of each view's image in the listing.
        values: Values of the views.
    """
    images, which = np.unique(rows, return_inverse=True)
    defined = ~np.isnan(values)
    total = np.zeros((len(images), values.shape[1]))
    count = np.zeros_like(total)
    np.add.at(total, which, np.where(defined, values, 0.0))
    np.add.at(count, which, defined)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def mean_over_images(
    rows: Int64[np.ndarray, " views"],
    values: Float64[np.ndarray, "views columns"],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> ImageMeans:
    """Compute means over images, draws averaged first, with BCa intervals over images.

    Args:
        rows: Row of each view's image in the listing.
        values: Values of the views; NaN where undefined.
        resamples: Number of resamples of the images.
        level: Coverage of each interval.
        seed: Seed of the resamples.
    """
    table = average_draws(rows, values)
    n = (~np.isnan(table)).sum(axis=0)
    found = bca(
        resampled_means(table, resamples=resamples, seed=seed),
        mean=means(table),
        pulls=influence(table),
        n=n,
        level=level,
    )
    return ImageMeans(estimates=found, undefined=len(table) - n, level=level)
