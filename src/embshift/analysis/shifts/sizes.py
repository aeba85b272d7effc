"""Numbers of images: to detect a difference, and to keep an order of transforms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float64

from embshift.analysis.sampling.bootstrap import means
from embshift.core.errors import PlanError
from embshift.core.records import Record, list_fields, to_pandas, write_html

__all__ = ["Stability", "images_needed", "kendall", "order_stability", "sizes_up_to"]

_EXACT = 100_000
"""Number of images up to which the noncentral t distribution is used; then an approximation, within 10^-5."""

_MOST = 10**12

_TIE = 1e-12
"""Scores closer than this, relative to the greatest score, are equal: they differ by rounding only."""


def images_needed(
    difference: float, *, deviation: float, error: float = 0.05, power: float = 0.8
) -> int | None:
    """Return the least number of images at which a paired, two-sided t test finds a mean difference.

    The deviation is taken as known, and differences as normal.

    Args:
        difference: The mean difference to be found, above or below 0.
        deviation: Standard deviation of the differences over images, in the same unit.
        error: Probability of finding a difference where there is none.
        power: Probability of finding the difference.

    Returns:
        2 or more; None if the deviation is NaN.

    Raises:
        PlanError: If an argument is out of range, or more than 10^12 images would be needed.
    """
    if math.isnan(deviation):
        return None
    if not (0 < abs(difference) < math.inf and 0 <= deviation < math.inf):
        raise PlanError(f"difference {difference}, deviation {deviation}; expected a difference other than 0")
    if not 0 < error < power < 1:
        raise PlanError(f"error {error}, power {power}; expected 0 < error < power < 1, e.g. 0.05 and 0.8")
    if deviation == 0:
        return 2
    effect = abs(difference) / deviation
    above = 2
    while _power(above, effect=effect, error=error) < power:
        above *= 2
        if above > _MOST:
            raise PlanError(
                f"a difference of {difference:g} with a deviation of {deviation:g} needs more than 10^12"
                " images; choose a larger difference"
            )
    below = above // 2
    while above - below > 1:
        middle = (above + below) // 2
        found = _power(middle, effect=effect, error=error) >= power
        above, below = (middle, below) if found else (above, middle)
    return above


def _power(images: int, *, effect: float, error: float) -> float:
    """Return the probability that the t test finds an effect, given in deviations."""
    from scipy.stats import nct, t  # half a second to import, and seldom asked for

    if images < 2:
        return 0.0
    freedom, centre = images - 1, effect * math.sqrt(images)
    critical = float(t.isf(error / 2, freedom))
    if images > _EXACT or centre > 30:  # SciPy loses digits far out
        # Johnson & Welch 1940: noncentral t approximated by a normal with this mean and width.
        middle, width = centre * (1 - 1 / (4 * freedom)), math.sqrt(1 + critical**2 / (2 * freedom))
        ends = np.array([middle - critical, -middle - critical]) / width
        return float(scipy.special.ndtr(ends).sum())
    return float(nct.sf(critical, freedom, centre) + nct.cdf(-critical, freedom, centre))


def kendall(
    orders: Float64[np.ndarray, "resamples transforms"], whole: Float64[np.ndarray, " transforms"], /
) -> Float64[np.ndarray, " resamples"]:
    """Compute Kendall's τ_b of each order of scores with one order: from −1 to 1, ties not counted.

    Returns:
        NaN if a score is undefined, there are fewer than two, or all are equal.
    """
    first, second = np.triu_indices(len(whole), 1)
    scale = _TIE * max(float(np.nanmax(np.abs(whole), initial=0.0)), np.finfo(np.float64).tiny)
    theirs = _signs(whole[first] - whole[second], scale=scale)
    ours = _signs(orders[:, first] - orders[:, second], scale=scale)
    size = np.sqrt((ours**2).sum(axis=1) * (theirs**2).sum())
    return np.divide(ours @ theirs, size, out=np.full(len(orders), np.nan), where=size > 0)


def _signs(values: Float64[np.ndarray, "*shape"], *, scale: float) -> Float64[np.ndarray, "*shape"]:
    return np.where(np.abs(values) <= scale, 0.0, np.sign(values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stability:
    """How well a number of images keeps the order of transforms that all images give.

    Attributes:
        images: Number of images drawn, with replacement.
        tau: Mean of Kendall's τ_b with the order of all images; 1 if the order never changes.
        low: 5th percentile of Kendall's τ_b.
        resamples: Number of draws behind it: those with an order.
    """

    images: int
    tau: float
    low: float
    resamples: int

    def records(self) -> list[Record]:
        """Return the one row of this number of images."""
        return [list_fields(self, ("images", "tau", "low", "resamples"))]

    to_pandas = to_pandas
    _repr_html_ = write_html


def sizes_up_to(images: int) -> tuple[int, ...]:
    """Return 10, 30, 100, 300, … below a number of images, and that number."""
    steps = (base * 10**power for power in range(1, 12) for base in (1, 3))
    return (*(size for size in steps if size < images), images)


def order_stability(
    values: Float64[np.ndarray, "images transforms"],
    *,
    sizes: Sequence[int],
    resamples: int = 1_000,
    seed: int = 0,
) -> tuple[Stability, ...]:
    """Compute Kendall's τ_b between the order by all images and that by some of them, drawn with replacement.

    The result shows how reliable an order of so many images is. It cannot detect that the images are unlike
    those of interest, and does not show how far apart the transforms are.

    Args:
        values: One value per image and transform; transforms without any value are left out.
        sizes: Numbers of images to draw.
        resamples: Number of draws of each size.
        seed: Their seed.

    Returns:
        One for each size; NaN for fewer than two transforms with a value.
    """
    whole = means(values)
    kept = ~np.isnan(whole)
    values, whole = values[:, kept], whole[kept]
    return tuple(_stability(values, whole, size=size, resamples=resamples, seed=seed) for size in sizes)


def _stability(
    values: Float64[np.ndarray, "images transforms"],
    whole: Float64[np.ndarray, " transforms"],
    *,
    size: int,
    resamples: int,
    seed: int,
) -> Stability:
    rng = np.random.default_rng((seed, size))
    scores = np.full((resamples, len(whole)), np.nan)
    if values.size and size > 0:
        for at in range(resamples):
            scores[at] = means(values[rng.integers(len(values), size=size)])
    found = kendall(scores, whole)
    found = found[~np.isnan(found)]
    return Stability(
        images=size,
        tau=float(found.mean()) if len(found) else float("nan"),
        low=float(np.quantile(found, 0.05)) if len(found) else float("nan"),
        resamples=len(found),
    )
