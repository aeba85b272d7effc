"""Sums of products of views and shifts, from which corrections are fitted."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

__all__ = ["Moments", "sum_moments"]

Vectors: TypeAlias = Float64[np.ndarray, "images dim"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Sums of products of views x and shifts y; the sums of several parts add up."""

    n: int
    x: Float64[np.ndarray, " dim"]
    y: Float64[np.ndarray, " dim"]
    xx: Float64[np.ndarray, "dim dim"]
    xy: Float64[np.ndarray, "dim dim"]

    @property
    def middle(self) -> Float64[np.ndarray, " dim"]:
        """Return the mean view."""
        return self.x / self.n

    @property
    def shift(self) -> Float64[np.ndarray, " dim"]:
        """Return the mean shift."""
        return self.y / self.n

    def within(self) -> Float64[np.ndarray, "dim dim"]:
        """Return Σ (x − x̄)(x − x̄)ᵀ."""
        return self.xx - np.outer(self.x, self.middle)

    def across(self) -> Float64[np.ndarray, "dim dim"]:
        """Return Σ (x − x̄)(y − ȳ)ᵀ."""
        return self.xy - np.outer(self.x, self.shift)

    def unit(self) -> float:
        """Return the mean eigenvalue of `within`, the unit of penalties; never 0, to be a safe divisor."""
        return max(float(np.trace(self.within())) / len(self.x), np.finfo(np.float64).tiny ** 0.5)

    def plus(self, other: "Moments") -> "Moments":
        """Return the sums over the images of both."""
        return Moments(
            n=self.n + other.n,
            x=self.x + other.x,
            y=self.y + other.y,
            xx=self.xx + other.xx,
            xy=self.xy + other.xy,
        )

    def less(self, other: "Moments") -> "Moments":
        """Return the sums without the images of the other."""
        return Moments(
            n=self.n - other.n,
            x=self.x - other.x,
            y=self.y - other.y,
            xx=self.xx - other.xx,
            xy=self.xy - other.xy,
        )


def sum_moments(views: Vectors, shifts: Vectors, /) -> Moments:
    """Return the sums of products of views and shifts, both (images, dim)."""
    return Moments(
        n=len(views), x=views.sum(axis=0), y=shifts.sum(axis=0), xx=views.T @ views, xy=views.T @ shifts
    )
