"""Simple corrections of a shift, and how much of it they remove on images that they were not fitted to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import TypeAlias

import numpy as np
import scipy
from jaxtyping import Float64, Int64

from embshift.analysis.embeddings.fits import Form, fit_linear, fit_mean, fit_rotation
from embshift.analysis.embeddings.moments import Moments, sum_moments
from embshift.analysis.embeddings.neighbours import half_squared_distances
from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.analysis.sampling.bootstrap import Intervals, bca, means, resampled_means

__all__ = [
    "FOLDS",
    "REPAIRS",
    "Repair",
    "assign_folds",
    "compute_repaired_shifts",
    "compute_repairs",
    "removed_shares",
]

Vectors: TypeAlias = Float64[np.ndarray, "images dim"]

FOLDS = 5
"""Number of folds; the images of each are corrected by a fit to the four others."""

REPAIRS = ("mean", "orthogonal", "linear")
"""Subtract the mean shift; apply an orthogonal map; subtract a linear prediction of the shift (ridge)."""

_SAME = 1e-24
"""Mean shifts up to this are 0: view and original differ by rounding only."""

_STRENGTHS = np.logspace(-4, 4, 17)
"""Candidate penalties of the ridge regression, in units of the mean variance of a direction."""


def assign_folds(images: int, *, seed: int) -> Int64[np.ndarray, " images"]:
    """Assign images to folds at random with a seed; fold sizes differ by at most one."""
    found = np.empty(images, np.int64)
    found[np.random.default_rng(seed).permutation(images)] = np.arange(images) % FOLDS
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Repair:
    """What a correction leaves of the shift of every image.

    Attributes:
        shift: Cosine shift after the correction, from 0 to 2; NaN where there is none.
        pull: Derivative of the sum of these shifts by the weight of the image in the fits; NaN as there.
    """

    shift: Float64[np.ndarray, " images"]
    pull: Float64[np.ndarray, " images"]


def compute_repaired_shifts(
    originals: Float64[np.ndarray, "images dim"],
    views: Float64[np.ndarray, "images dim"],
    /,
    *,
    seed: int = 0,
) -> dict[str, Float64[np.ndarray, " images"]]:
    """Compute the cosine shift of every image after each correction; see `compute_repairs`."""
    return {name: one.shift for name, one in compute_repairs(originals, views, seed=seed).items()}


def compute_repairs(
    originals: Float64[np.ndarray, "images dim"],
    views: Float64[np.ndarray, "images dim"],
    /,
    *,
    seed: int = 0,
) -> dict[str, Repair]:
    """Compute the cosine shift of every image after each correction, fitted without the image's fold.

    mean: z′ − μ. orthogonal: z′Q, Q the orthogonal matrix that brings views nearest to originals and leaves
        directions unchanged that they do not span. linear: z′ − (μ + (z′ − mean z′) B), B by ridge regression
        of the shift; its penalty is the one with the least squared error when the training folds are
        predicted from each other. An infinite penalty gives the mean correction. Corrected vectors are scaled
        to length 1 before d is computed.

    An image also moves the shifts that the others are left with, since it is among the images of their fits.
    Its pull is the derivative of their sum by its weight; the penalty is held fixed.

    Args:
        originals: Unit vectors.
        views: Unit vectors of the same images.
        seed: Seed of the folds.

    Returns:
        Shifts and pulls by name of the correction; NaN for fewer than ten images (two per fold).
    """
    n = len(originals)
    found = {name: Repair(shift=np.full(n, np.nan), pull=np.full(n, np.nan)) for name in REPAIRS}
    if n < 2 * FOLDS:
        return found
    fold = assign_folds(n, seed=seed)
    shifts = views - originals
    parts = [sum_moments(views[fold == at], shifts[fold == at]) for at in range(FOLDS)]
    whole = reduce(Moments.plus, parts)
    penalties = _penalties(parts, whole)
    forms = {name: list[Form]() for name in REPAIRS}
    for held in range(FOLDS):
        training, test = whole.less(parts[held]), fold == held
        fitted = {
            "mean": fit_mean(training, views[test]),
            "orthogonal": fit_rotation(training, views[test]),
            "linear": fit_linear(training, views[test], penalty=penalties[held]),
        }
        for name, fit in fitted.items():
            found[name].shift[test], gradient = _measure(originals[test], fit.repaired)
            forms[name].append(fit.pull(gradient))
    for name, each in forms.items():
        for at in range(FOLDS):
            own = fold == at
            # Sums over the other folds: subtracting the fold's own form from that of all would lose digits.
            others = reduce(Form.plus, each[:at] + each[at + 1 :])
            found[name].pull[own] = others.of(views[own], shifts[own])
    return found


def _measure(originals: Vectors, repaired: Vectors) -> tuple[Float64[np.ndarray, " images"], Vectors]:
    """Return the cosine shift d of each corrected view, and its gradient: −(z − (z·u) u) / ‖r‖, u = r / ‖r‖.

    The gradient is 0 where a corrected view has no angle.
    """
    units, norms = unit_vectors(repaired)
    along = np.einsum("ij,ij->i", originals, units)[:, None]
    gradient = (along * units - originals) / norms[:, None]
    return half_squared_distances(originals, units), np.where(np.isnan(gradient), 0.0, gradient)


def _penalties(parts: Sequence[Moments], whole: Moments) -> Float64[np.ndarray, " folds"]:
    """Choose the penalty of each fold by predicting each of its training folds from the three others.

    The model without folds a and b is used twice: for a it is tested on b, for b on a.
    """
    errors = np.zeros((FOLDS, len(_STRENGTHS)))
    for one, other in combinations(range(FOLDS), 2):
        model = whole.less(parts[one]).less(parts[other])
        errors[one] += _errors(model, parts[other])
        errors[other] += _errors(model, parts[one])
    return _STRENGTHS[errors.argmin(axis=1)]


def _errors(model: Moments, tried: Moments) -> Float64[np.ndarray, " strengths"]:
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
    pull: Float64[np.ndarray, "images columns"] | None = None,
    resamples: int,
    level: float,
    seed: int,
) -> Intervals:
    """Compute 1 − Σ after / Σ before with BCa intervals: ratios of means over the same resampled images.

    A resample does not fit again. It takes `after + pull` in place of `after`: the sum of what fits to the
    resample would leave, to first order in the weights of the images (infinitesimal jackknife).

    Args:
        after: Shift of each image after a correction; NaN where undefined.
        before: Its shift before.
        pull: Derivative of Σ after by the weight of each image through the fits; where None, nothing was
            fitted.
        resamples: Number of resamples.
        level: Coverage.
        seed: Seed of the resamples.

    References:
        Efron & Tibshirani 1993, An introduction to the bootstrap, sections 20.6 and 21.2.
    """
    before = np.where(np.isnan(after), np.nan, before)
    # Weighing all images alike changes no fit, so that pulls sum to 0 up to rounding and missing draws.
    moved = after if pull is None else after + (pull - means(np.where(np.isnan(after), np.nan, pull)))
    taken = resampled_means(np.concatenate([moved, before], axis=1), resamples=resamples, seed=seed)
    share, _, n = _shares(after, before)
    pulls = _shares(moved, before)[1]
    columns = after.shape[1]
    # To first order a resample may leave less than nothing: no share is above 1.
    removed = np.minimum(1 - _ratio(taken[:, :columns], taken[:, columns:]), 1.0)
    return bca(removed, mean=share, pulls=pulls, n=n, level=level)


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
