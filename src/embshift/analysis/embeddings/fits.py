"""Corrections fitted to sums of products, and how far each image that they are fitted to moves the result."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import scipy
from jaxtyping import Float64

from embshift.analysis.embeddings.moments import Moments

__all__ = ["Fit", "Form", "fit_linear", "fit_mean", "fit_rotation"]

Vectors: TypeAlias = Float64[np.ndarray, "images dim"]

Matrix: TypeAlias = Float64[np.ndarray, "dim dim"]

_TOUCH = 1e-9

_SPREAD = 1e-13
"""Share of the squared lengths up to which the spread of the views is rounding: a ridge is the mean then."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Form:
    """A quadratic function xᵀ A x + xᵀ B y + a·x + b·y + c of a view x and its shift y; forms add up.

    Attributes:
        xx: A.
        xy: B.
        x: a.
        y: b.
        constant: c.
    """

    xx: Matrix
    xy: Matrix
    x: Float64[np.ndarray, " dim"]
    y: Float64[np.ndarray, " dim"]
    constant: float

    def plus(self, other: "Form") -> "Form":
        """Return the sum of two forms."""
        return Form(
            xx=self.xx + other.xx,
            xy=self.xy + other.xy,
            x=self.x + other.x,
            y=self.y + other.y,
            constant=self.constant + other.constant,
        )

    def of(self, views: Vectors, shifts: Vectors, /) -> Float64[np.ndarray, " images"]:
        """Return its value for every image."""
        by_view = views @ self.xx + shifts @ self.xy.T + self.x
        return np.einsum("ij,ij->i", by_view, views) + shifts @ self.y + self.constant


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """Held-out views after a correction.

    Attributes:
        repaired: The corrected views, not yet of length 1.
        pull: Takes the gradient of a sum over the held-out images by their corrected views; returns what it
            changes by if one of the images of the fit weighs more: its derivative by the weight of an image.
    """

    repaired: Vectors
    pull: Callable[[Vectors], Form]


def fit_mean(part: Moments, held: Vectors, /) -> Fit:
    """Subtract the mean shift of the images of the fit.

    Args:
        part: Sums over the images of the fit.
        held: Views that are corrected.
    """

    def pull(gradient: Vectors) -> Form:
        empty = np.zeros((len(part.x), len(part.x)))
        total = gradient.sum(axis=0) / part.n
        return Form(xx=empty, xy=empty, x=np.zeros(len(part.x)), y=-total, constant=float(total @ part.shift))

    return Fit(repaired=held - part.shift, pull=pull)


def fit_rotation(part: Moments, held: Vectors, /) -> Fit:
    """Apply the orthogonal Procrustes solution (Schönemann 1966), not centred: rotation about 0.

    With M = U S Vᵀ, the products of views and originals, it is Q = U Vᵀ, and dQ = U X Vᵀ with
    X = (D − Dᵀ)ᵢⱼ / (sᵢ + sⱼ) and D = Uᵀ dM V.

    Args:
        part: Sums over the images of the fit.
        held: Views that are corrected.
    """
    product = part.xx - part.xy  # views times originals, since originals are views less shifts
    # With few images some directions are undetermined: a small multiple of the identity keeps them in place.
    product[np.diag_indices_from(product)] += _TOUCH * float(np.trace(part.xx)) / len(part.x)
    left, sizes, right = scipy.linalg.svd(product, full_matrices=False, check_finite=False)

    def pull(gradient: Vectors) -> Form:
        turned = left.T @ (held.T @ gradient) @ right.T
        sums = np.maximum(sizes[:, None] + sizes, np.finfo(np.float64).tiny ** 0.5)
        change = left @ ((turned - turned.T) / sums) @ right
        none = np.zeros(len(part.x))
        return Form(xx=change, xy=-change, x=none, y=none, constant=0.0)

    return Fit(repaired=held @ (left @ right), pull=pull)


def fit_linear(part: Moments, held: Vectors, /, *, penalty: float) -> Fit:
    """Subtract a linear prediction of the shift: ridge regression on the views, both about their means.

    B = R⁻¹ C with R = K + λ u, K and C the centred products of views with views and with shifts, u the mean
    eigenvalue of K. dB = R⁻¹ (dC − (dK + λ du) B).

    Args:
        part: Sums over the images of the fit.
        held: Views that are corrected.
        penalty: λ, which is held fixed in the derivative.
    """
    values, vectors = scipy.linalg.eigh(part.within(), check_finite=False)
    strengths = np.maximum(values, 0.0) + penalty * part.unit()
    weights = vectors @ ((vectors.T @ part.across()) / strengths[:, None])

    varied = float(np.trace(part.within())) > _SPREAD * float(np.trace(part.xx))

    def pull(gradient: Vectors) -> Form:
        if not varied:
            return fit_mean(part, held).pull(gradient)
        total = gradient.sum(axis=0)
        across = vectors @ ((vectors.T @ ((part.middle - held).T @ gradient)) / strengths[:, None])
        within = -across @ weights.T
        within[np.diag_indices_from(within)] += penalty * np.trace(within) / len(part.x)
        return _centre(
            within, across, x=weights @ total / part.n, y=-total / part.n, at=(part.middle, part.shift)
        )

    return Fit(repaired=held - (part.shift + (held - part.middle) @ weights), pull=pull)


def _centre(
    xx: Matrix,
    xy: Matrix,
    *,
    x: Float64[np.ndarray, " dim"],
    y: Float64[np.ndarray, " dim"],
    at: tuple[Float64[np.ndarray, " dim"], Float64[np.ndarray, " dim"]],
) -> Form:
    """Return the form of x − x̄ and y − ȳ as one of x and y."""
    middle, shift = at
    both = xx + xx.T
    return Form(
        xx=xx,
        xy=xy,
        x=x - both @ middle - xy @ shift,
        y=y - xy.T @ middle,
        constant=float(middle @ xx @ middle + middle @ xy @ shift - x @ middle - y @ shift),
    )
