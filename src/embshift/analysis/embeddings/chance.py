"""What chance alone gives: Procrustes distance and RSA with views assigned to images at random."""

from collections.abc import Sequence

import numpy as np
import scipy
from jaxtyping import Float64, Int64

__all__ = ["chance_range", "permuted_procrustes", "permuted_rsa"]

Vectors = Float64[np.ndarray, "images dim"]


def permuted_procrustes(
    one: Vectors, other: Vectors, /, *, orders: Sequence[Int64[np.ndarray, " images"]]
) -> Float64[np.ndarray, " orders"]:
    """Return the Procrustes distance for each order of the second set.

    With no more images than dimensions each set is first turned into as many coordinates as there are
    images, which changes no product of it. The sum of singular values is that of the roots of the
    eigenvalues of MᵀM: for a value by chance its lost digits do not matter, and it takes a fifth of the time.

    Args:
        one: Centred vectors of Frobenius norm 1.
        other: The same of the other set.
        orders: Permutations of the images.
    """
    first, second = _reduced(one), _reduced(other)
    found = np.empty(len(orders))
    for at, order in enumerate(orders):
        product = first.T @ second[order]
        squares = scipy.linalg.eigvalsh(product.T @ product, check_finite=False)
        total = float(np.sqrt(np.maximum(squares, 0.0)).sum())
        found[at] = np.sqrt(max(2 - 2 * total, 0.0))
    return found


def _reduced(vectors: Vectors) -> Float64[np.ndarray, "images width"]:
    """Return coordinates in the span of the images, at most as many as there are images."""
    if len(vectors) >= vectors.shape[1]:
        return vectors
    return np.asarray(scipy.linalg.qr(vectors.T, mode="r", check_finite=False)[0])[: len(vectors)].T


def permuted_rsa(
    one: Float64[np.ndarray, "images images"],
    other: Float64[np.ndarray, "images images"],
    /,
    *,
    orders: Sequence[Int64[np.ndarray, " images"]],
) -> Float64[np.ndarray, " orders"]:
    """Return the RSA correlation for each order of the second set.

    Args:
        one: Ranks of all distances about their mean, symmetric, with a zero diagonal.
        other: The same of the other set.
        orders: Permutations of the images.
    """
    size = float(np.sqrt((one * one).sum() * (other * other).sum()))
    return np.array([float((one * other[np.ix_(order, order)]).sum()) / size for order in orders])


def chance_range(found: Float64[np.ndarray, " orders"], /, *, level: float) -> tuple[float, float]:
    """Return the range that holds a share of the values by chance, without its two tails.

    Of m values, the k-th least and greatest bound it, k the whole number below (1 − level)/2 · (m + 1). It is
    NaN where that is below 1: then order statistics cannot reach the level.
    """
    rank = int((1 - level) / 2 * (len(found) + 1) + 1e-9)
    if rank < 1 or np.isnan(found).any():
        return float("nan"), float("nan")
    ordered = np.sort(found)
    return float(ordered[rank - 1]), float(ordered[-rank])
