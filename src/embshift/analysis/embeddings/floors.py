"""Floors of a measurement: shifts of unchanged images that were only prepared or computed differently."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

from embshift.analysis.embeddings.neighbours import half_squared_distances
from embshift.analysis.embeddings.pairs import unit_vectors

__all__ = ["LOWEST", "Floor", "floor", "floor_height"]

LOWEST = 1e-7
"""A preparation floor below this is not used as a unit: it is rounding of the encoder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Cosine shifts between two embeddings of the same images.

    Attributes:
        kind: "numeric": the same pixels, computed differently (precision, device, batch). "preparation": the
            same image, converted to pixels differently (resize filter, decoder, JPEG 95).
        name: What was done differently.
        median: Median shift over images; NaN without an image.
        high: 95th percentile of the shift over images.
        most: Greatest shift.
        images: Number of images behind it.
    """

    kind: Literal["numeric", "preparation"]
    name: str
    median: float
    high: float
    most: float
    images: int

    def told(self) -> str:
        """Return the floor as one line."""
        return (
            f"{self.kind} floor, {self.name}: cosine shift {self.median:.3g} (median), {self.high:.3g} (95th"
            f" percentile) over {self.images:,} images"
        )


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
        median=_quantile(shifts, 0.5),
        high=_quantile(shifts, 0.95),
        most=float(shifts.max()) if len(shifts) else float("nan"),
        images=len(shifts),
    )


def _quantile(values: Float64[np.ndarray, " values"], level: float) -> float:
    return float(np.quantile(values, level)) if len(values) else float("nan")


def floor_height(floors: Sequence[Floor]) -> float | None:
    """Return the highest 95th percentile among preparation floors; None if none is 1e-7 or more."""
    known = [one.high for one in floors if one.kind == "preparation" and one.high >= LOWEST]
    return max(known, default=None)
