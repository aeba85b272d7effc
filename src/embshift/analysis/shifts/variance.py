"""The variance of a metric split into images and draws: would more images tell more, or more draws?"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64

from embshift.analysis.sampling.bootstrap import LEVEL, Intervals
from embshift.analysis.sampling.jackknife import jackknife
from embshift.core.types import Measure
from embshift.runs.draws import DrawSums

__all__ = ["VARIANCE", "split_variance"]

VARIANCE = (
    Measure(
        name="image_deviation",
        summary="standard deviation between images, without what draws add to it",
        unit="unit of the metric",
        bounds=(0.0, float("inf")),
        identity=0.0,
        direction=None,
        blind_to="which images lie apart",
        reference="one-way random effects, √((MSB − MSW) / n₀) or 0; Searle, Casella & McCulloch 1992",
    ),
    Measure(
        name="draw_deviation",
        summary="standard deviation between draws of the same image",
        unit="unit of the metric",
        bounds=(0.0, float("inf")),
        identity=0.0,
        direction=None,
        blind_to="that draws may vary more on some images than on others",
        reference="one-way random effects, √MSW; Searle, Casella & McCulloch 1992",
    ),
    Measure(
        name="draw_share",
        summary="share of the variance of a single view's value that lies between draws",
        unit="1",
        bounds=(0.0, 1.0),
        identity=float("nan"),
        direction=None,
        blind_to="the size of the variance; values that no draw changes give 0",
        reference="1 − intraclass correlation; its interval as in Arvesen & Layard 1975",
    ),
)
"""The columns of the split, in order."""

_ROUNDING = 1e-24
"""Mean squares up to this share of the squared mean are 0: values differ by rounding only."""

Column: TypeAlias = Float64[np.ndarray, " images"]


def split_variance(sums: DrawSums, /, *, level: float = LEVEL, seed: int = 0) -> Intervals:
    """Split the variance of a metric into that between images and that between draws of an image.

    A value is x = m + a + e, with a of the image and e of the draw. Of mean squares between images, MSB, and
    within, MSW, the variances are MSW for draws and max(0, (MSB − MSW) / n₀) for images, n₀ the number of
    draws of an image, corrected where it is not the same for all: (N − Σnᵢ² / N) / (images − 1), N = Σnᵢ.

    The interval of the share of draws is a grouped jackknife of log (MSB / MSW), carried over to the share:
    it needs no normal values, which the exact F interval does. The two deviations have no interval: for
    skewed values, those that were tried hold 85 to 90 % in place of 95.

    Args:
        sums: Draws of each image.
        level: Coverage of the interval.
        seed: Seed of the groups, for more than 50 images.

    Returns:
        Transforms by the measures of `VARIANCE`; NaN for a transform without two images, or without an image
        of two draws.
    """
    shape = (len(sums.transforms), len(VARIANCE))
    found, n = np.full((3, *shape), np.nan), np.zeros(shape, np.int64)
    for at in range(len(sums.transforms)):
        own = sums.count[:, at] > 0
        count, mean, squares = sums.count[own, at], sums.mean[own, at], sums.squares[own, at]
        n[at] = len(count)
        found[:, at] = _split(count.astype(np.float64), mean, squares, level=level, seed=seed)
    return Intervals(mean=found[0], low=found[1], high=found[2], n=n, plain=np.zeros(shape, bool))


def _split(
    count: Column, mean: Column, squares: Column, *, level: float, seed: int
) -> Float64[np.ndarray, "ends measures"]:
    """Return the measures of one transform with the ends of their intervals."""
    found = np.full((3, len(VARIANCE)), np.nan)
    between, within, per = _mean_squares(count, mean, squares)
    if np.isnan(between) or np.isnan(within):
        return found
    variance = max(0.0, (between - within) / per)
    found[0, :2] = np.sqrt(variance), np.sqrt(within)
    if between <= 0 and within <= 0:
        return found
    found[0, 2] = within / (variance + within)

    def log_ratio(kept: Bool[np.ndarray, " images"]) -> Float64[np.ndarray, " one"]:
        above, below, _ = _mean_squares(count[kept], mean[kept], squares[kept])
        return np.log([above / below]) if above > 0 and below > 0 else np.full(1, np.nan)

    ends = jackknife(log_ratio, images=len(count), level=level, seed=seed)[1][:, 0]
    # A greater ratio is a smaller share. At a ratio up to 1 nothing is seen of the images: the share is 1.
    found[1:, 2] = per / (np.maximum(np.exp(ends[::-1]), 1.0) - 1 + per)
    return found


def _mean_squares(count: Column, mean: Column, squares: Column) -> tuple[float, float, float]:
    """Return the mean squares between images and within, and the corrected number of draws of an image."""
    images, draws = len(count), float(count.sum())
    if images < 2 or draws <= images:
        return float("nan"), float("nan"), float("nan")
    middle = float(count @ mean) / draws
    between = float(count @ (mean - middle) ** 2) / (images - 1)
    within = float(squares.sum()) / (draws - images)
    per = (draws - float(count @ count) / draws) / (images - 1)
    least = _ROUNDING * middle**2
    return between if between > least else 0.0, within if within > least else 0.0, per
