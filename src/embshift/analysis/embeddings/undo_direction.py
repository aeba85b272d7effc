"""Simple corrections of a shift, and how much of it they remove on images that they were not fitted to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import TypeAlias

import numpy as np
import scipy
from jaxtyping import Float64, Int64

from embshift.analysis.embeddings.neighbours import half_squared_distances
from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.analysis.sampling.bootstrap import Intervals, bca, resampled_means

__all__ = ["FOLDS", "REPAIRS", "assign_folds", "compute_repaired_shifts", "removed_shares"]

Vectors: TypeAlias = Float64[np.ndarray, "images dim"]

FOLDS = 5
"""Number of folds; the images of each are corrected by a fit to the four others."""

REPAIRS = ("mean", "orthogonal", "linear")
"""Subtract the mean shift; apply an orthogonal map; subtract a linear prediction of the shift (ridge)."""

_TOUCH = 1e-9

_SAME = 1e-24
"""Mean shifts up to this are 0: view and original differ by rounding only."""

_STRENGTHS = np.logspace(-4, 4, 17)
"""Candidate penalties of the ridge regression, in units of the mean variance of a direction."""


def assign_folds(images: int, *, seed: int) -> Int64[np.ndarray, " images"]:
    """Assign images to folds at random with a seed; fold sizes differ by at most one."""
    found = np.empty(images, np.int64)
    found[np.random.default_rng(seed).permutation(images)] = np.arange(images) % FOLDS
    return found


def compute_repaired_shifts(
    originals: Float64[np.ndarray, "images dim"],
    views: Float64[np.ndarray, "images dim"],
    /,
    *,
    seed: int = 0,
) -> dict[str, Float64[np.ndarray, " images"]]:
    """Compute the cosine shift of every image after each correction, fitted without the image's fold.

    mean: z′ − μ. orthogonal: z′Q, Q the orthogonal matrix that brings views nearest to originals and leaves
        directions unchanged that they do not span. linear: z′ − (μ + (z′ − mean z′) B), B by ridge regression
        of the shift; its penalty is the one with the least squared error when the training folds are
        predicted from each other. An infinite penalty gives the mean correction. Corrected vectors are scaled
        to length 1 before d is computed.

    Args:
        originals: Unit vectors.
        views: Unit vectors of the same images.
        seed: Seed of the folds.

    Returns:
        Shifts by name of the correction, from 0 to 2; NaN for fewer than ten images (two per fold).
    """
    n = len(originals)
    found = {name: np.full(n, np.nan) for name in REPAIRS}
    if n < 2 * FOLDS:
        return found
    fold = assign_folds(n, seed=seed)
    shifts = views - originals
    parts = [_moments(views[fold == at], shifts[fold == at]) for at in range(FOLDS)]
    whole = reduce(_Moments.plus, parts)
    penalties = _penalties(parts, whole)
    for held in range(FOLDS):
        training, test = whole.less(parts[held]), fold == held
        fitted = {
            "mean": views[test] - training.shift,
            "orthogonal": views[test] @ _rotation(training),
            "linear": _subtract_linear(training, views[test], penalty=penalties[held]),
        }
        for name, repaired in fitted.items():
            found[name][test] = half_squared_distances(originals[test], unit_vectors(repaired)[0])
    return found


def _rotation(part: "_Moments") -> Float64[np.ndarray, "dim dim"]:
    """Return the orthogonal Procrustes solution (Schönemann 1966), not centred: rotation about 0."""
    product = part.xx - part.xy  # views times originals, since originals are views less shifts
    # With few images some directions are undetermined: a small multiple of the identity keeps them in place.
    product[np.diag_indices_from(product)] += _TOUCH * float(np.trace(part.xx)) / len(part.x)
    left, _, right = scipy.linalg.svd(product, full_matrices=False, check_finite=False)
    return left @ right


def _subtract_linear(part: "_Moments", held: Vectors, *, penalty: float) -> Vectors:
    values, vectors = scipy.linalg.eigh(part.within(), check_finite=False)
    strengths = np.maximum(values, 0.0) + penalty * part.unit()
    weights = vectors @ ((vectors.T @ part.across()) / strengths[:, None])
    return held - (part.shift + (held - part.middle) @ weights)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Moments:
    """Sums of products of views x and shifts y; the sums of several parts add up."""

    n: int
    x: Float64[np.ndarray, " dim"]
    y: Float64[np.ndarray, " dim"]
    xx: Float64[np.ndarray, "dim dim"]
    xy: Float64[np.ndarray, "dim dim"]

    @property
    def middle(self) -> Float64[np.ndarray, " dim"]:
        return self.x / self.n

    @property
    def shift(self) -> Float64[np.ndarray, " dim"]:
        return self.y / self.n

    def within(self) -> Float64[np.ndarray, "dim dim"]:
        """Σ (x − x̄)(x − x̄)ᵀ."""
        return self.xx - np.outer(self.x, self.middle)

    def across(self) -> Float64[np.ndarray, "dim dim"]:
        """Σ (x − x̄)(y − ȳ)ᵀ."""
        return self.xy - np.outer(self.x, self.shift)

    def unit(self) -> float:
        """Return the mean eigenvalue of `within`, the unit of penalties; never 0, to be a safe divisor."""
        return max(float(np.trace(self.within())) / len(self.x), np.finfo(np.float64).tiny ** 0.5)

    def plus(self, other: "_Moments") -> "_Moments":
        return _Moments(
            n=self.n + other.n,
            x=self.x + other.x,
            y=self.y + other.y,
            xx=self.xx + other.xx,
            xy=self.xy + other.xy,
        )

    def less(self, other: "_Moments") -> "_Moments":
        return _Moments(
            n=self.n - other.n,
            x=self.x - other.x,
            y=self.y - other.y,
            xx=self.xx - other.xx,
            xy=self.xy - other.xy,
        )


def _moments(views: Vectors, shifts: Vectors) -> _Moments:
    return _Moments(
        n=len(views), x=views.sum(axis=0), y=shifts.sum(axis=0), xx=views.T @ views, xy=views.T @ shifts
    )


def _penalties(parts: Sequence[_Moments], whole: _Moments) -> Float64[np.ndarray, " folds"]:
    """Choose the penalty of each fold by predicting each of its training folds from the three others.

    The model without folds a and b is used twice: for a it is tested on b, for b on a.
    """
    errors = np.zeros((FOLDS, len(_STRENGTHS)))
    for one, other in combinations(range(FOLDS), 2):
        model = whole.less(parts[one]).less(parts[other])
        errors[one] += _errors(model, parts[other])
        errors[other] += _errors(model, parts[one])
    return _STRENGTHS[errors.argmin(axis=1)]


def _errors(model: _Moments, tried: _Moments) -> Float64[np.ndarray, " strengths"]:
    """Return the squared error of the ridge on other images at every penalty, up to a constant.

    With B = V diag(w) C it is tr(Bᵀ K B) − 2 tr(Bᵀ M), K and M the test moments about the model's means. With
    V multiplied out, both are sums over w.
    """
    values, vectors = scipy.linalg.eigh(model.within(), check_finite=False)
    coefficients = vectors.T @ model.across()  # C
    middle, shift = model.middle, model.shift
    squares = (
        tried.xx - np.outer(tried.x, middle) - np.outer(middle, tried.x) + tried.n * np.outer(middle, middle)
    )
    products = (
        tried.xy - np.outer(tried.x, shift) - np.outer(middle, tried.y) + tried.n * np.outer(middle, shift)
    )
    square = (vectors.T @ squares @ vectors) * (coefficients @ coefficients.T)
    linear = np.einsum("ij,ij->i", vectors.T @ products, coefficients)
    weights = 1 / (np.maximum(values, 0.0) + _STRENGTHS[:, None] * model.unit())  # strengths dim
    return np.einsum("si,ij,sj->s", weights, square, weights, optimize=True) - 2 * weights @ linear


def removed_shares(
    after: Float64[np.ndarray, "images columns"],
    before: Float64[np.ndarray, "images columns"],
    /,
    *,
    resamples: int,
    level: float,
    seed: int,
) -> Intervals:
    """Compute 1 − Σ after / Σ before with BCa intervals: ratios of means over the same resampled images.

    Args:
        after: Shift of each image after a correction; NaN where undefined.
        before: Its shift before.
        resamples: Number of resamples.
        level: Coverage.
        seed: Seed of the resamples.
    """
    before = np.where(np.isnan(after), np.nan, before)
    taken = resampled_means(np.concatenate([after, before], axis=1), resamples=resamples, seed=seed)
    share, pulls, n = _shares(after, before)
    columns = after.shape[1]
    return bca(1 - _ratio(taken[:, :columns], taken[:, columns:]), mean=share, pulls=pulls, n=n, level=level)


def _ratio(
    one: Float64[np.ndarray, "*shape"], other: Float64[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape"]:
    return np.divide(one, other, out=np.full(one.shape, np.nan), where=other > _SAME)


def _shares(
    after: Float64[np.ndarray, "images columns"], before: Float64[np.ndarray, "images columns"]
) -> tuple[
    Float64[np.ndarray, " columns"], Float64[np.ndarray, "images columns"], Int64[np.ndarray, " columns"]
]:
    """Return shares removed, the influence of each image (derivative of the ratio), and numbers of images."""
    defined = ~np.isnan(after)
    n = defined.sum(axis=0)
    totals = np.where(defined, after, 0.0).sum(axis=0), np.where(defined, before, 0.0).sum(axis=0)
    quotient = _ratio(totals[0], totals[1])
    pulls = np.where(defined, -(after - quotient * before), 0.0)
    return 1 - quotient, np.where(np.isnan(pulls), 0.0, pulls), np.where(np.isnan(quotient), 0, n)
