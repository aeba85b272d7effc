"""Floors of a measurement: shifts of unchanged images that were only prepared or computed differently."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import scipy
from jaxtyping import Float, Float64

from embshift.analysis.embeddings.neighbours import half_squared_distances
from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.analysis.sampling.bootstrap import FEWEST, Intervals, means
from embshift.analysis.sampling.percentiles import percentile_interval
from embshift.core.records import Record, list_fields, to_pandas, write_html

__all__ = ["LOWEST", "Floor", "floor", "floor_ratio", "highest_floor"]

LOWEST = 1e-7
"""A preparation floor with a mean below this is not used as a unit: it is rounding of the encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Cosine shifts between two embeddings of the same images.

    Attributes:
        kind: "numeric": the same pixels, computed differently (precision, device, batch). "preparation": the
            same image, converted to pixels differently (resize filter, decoder, JPEG 95).
        name: What was done differently.
        mean: Mean shift over images; NaN without an image.
        median: Median shift over images.
        high: 95th percentile of the shift over images.
        high_ends: 95 % interval of that percentile, by order statistics; NaN for fewer than 72 images.
        most: Greatest shift.
        images: Number of images behind it.
        shifts: The shift of each of these images.
    """

    kind: Literal["numeric", "preparation"]
    name: str
    mean: float
    median: float
    high: float
    high_ends: tuple[float, float]
    most: float
    images: int
    shifts: tuple[float, ...] = field(repr=False)

    def told(self) -> str:
        """Return the floor as one line."""
        low, high = self.high_ends
        ends = "" if math.isnan(low) else f", 95 % interval {low:.3g} to {high:.3g}"
        return (
            f"{self.kind} floor, {self.name}: cosine shift {self.mean:.3g} (mean), {self.median:.3g}"
            f" (median), {self.high:.3g} (95th percentile{ends}) over {self.images:,} images"
        )

    def records(self) -> list[Record]:
        """Return the one row of the floor, without the shift of each image."""
        return [list_fields(self, ("kind", "name", "mean", "median", "high", "most", "images"))]

    to_pandas = to_pandas
    _repr_html_ = write_html


def floor(
    one: Float[np.ndarray, "images dim"],
    other: Float[np.ndarray, "images dim"],
    /,
    *,
    kind: Literal["numeric", "preparation"],
    name: str,
) -> Floor:
    """Compute the floor from two embeddings of the same images, with d = ½‖z − z′‖² in float64.

    Rounding of float32 embeddings alone gives about 1e-14, so d is distinguished from 0 where 1 − cosine
    would not be. The floor covers only what was done differently, and only these images.

    Args:
        one: Raw embeddings of images prepared or computed one way.
        other: Raw embeddings of the same images, in the same order, prepared or computed the other way.
        kind: What differs: the computation or the preparation.
        name: What was done differently, for display.
    """
    first, second = unit_vectors(one)[0], unit_vectors(other)[0]
    shifts = half_squared_distances(first, second)
    shifts = shifts[~np.isnan(shifts)]
    return Floor(
        kind=kind,
        name=name,
        mean=float(shifts.mean()) if len(shifts) else float("nan"),
        median=_quantile(shifts, 0.5),
        high=_quantile(shifts, 0.95),
        high_ends=percentile_interval(shifts, 0.95),
        most=float(shifts.max()) if len(shifts) else float("nan"),
        images=len(shifts),
        shifts=tuple(shifts.tolist()),
    )


def _quantile(values: Float64[np.ndarray, " values"], level: float) -> float:
    return float(np.quantile(values, level)) if len(values) else float("nan")


def highest_floor(floors: Sequence[Floor]) -> Floor | None:
    """Return the preparation floor with the greatest mean shift; None if none is 1e-7 or more."""
    known = [one for one in floors if one.kind == "preparation" and one.mean >= LOWEST]
    return max(known, key=lambda one: one.mean, default=None)


def floor_ratio(
    shifts: Float64[np.ndarray, "images transforms"], floor: Floor, /, *, level: float
) -> Intervals:
    r"""Compute the mean shift of each transform over the mean shift of a floor, with intervals.

    Like is divided by like, a mean by a mean, and both are uncertain. On the scale of logarithms, the
    variance of the ratio is $s_a^2 / (n_a \bar a^2) + s_b^2 / (n_b \bar b^2)$ (delta method). The ends are
    Student's, with the smaller number of images less one as degrees of freedom. The images of the floor need
    not be those of the shifts, and count as others. A bootstrap of both (BCa) holds less often, since shifts
    are skewed: in 92.7 % of simulated runs of 30 images, in place of 95.

    Args:
        shifts: Shift of each image and transform; NaN where undefined.
        floor: The floor, above 0.
        level: Coverage.

    Returns:
        The ratios; 0 to 0 for a transform that shifts nothing, and no interval for fewer than ten images.

    References:
        Efron & Tibshirani 1993, An introduction to the bootstrap, section 21.9, for the delta method.
    """
    mean, n = means(shifts), (~np.isnan(shifts)).sum(axis=0)
    both = np.minimum(n, floor.images)
    below = np.array(floor.shifts)
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.nanvar(shifts, axis=0, ddof=1) / (n * mean**2)
        error = np.sqrt(own + below.var(ddof=1) / (len(below) * floor.mean**2))
        wide = np.exp(scipy.special.stdtrit(both - 1.0, (1 + level) / 2) * error)
        low, high = mean / floor.mean / wide, mean / floor.mean * wide
    still, few = mean == 0, both < FEWEST
    ends = [np.where(few, np.nan, np.where(still, 0.0, end)) for end in (low, high)]
    return Intervals(
        mean=mean / floor.mean, low=ends[0], high=ends[1], n=both, plain=np.zeros(len(mean), dtype=bool)
    )
