"""CKA between originals and views, layer by layer, from sums over parts of the images."""

import numpy as np
from jaxtyping import Float64, Int64

__all__ = ["combine_similarity", "unbiased_hsic"]


def unbiased_hsic(
    one: Float64[np.ndarray, "images width"], other: Float64[np.ndarray, "images dim"]
) -> float:
    r"""Compute the unbiased estimate of HSIC with linear kernels.

    It is $(a + b - c) / (n (n - 3))$ with $a = \mathrm{tr}(KL)$, $b = 1^\top K1\,1^\top L1 / ((n-1)(n-2))$
    and $c = 2 / (n-2)\,1^\top KL1$, for Gram matrices $K$ and $L$ whose diagonals are set to 0.

    Args:
        one: Vectors of the images.
        other: Vectors of the same images.

    Returns:
        The estimate; NaN for fewer than four images.

    References:
        Song et al. 2012, Feature Selection via Dependence Maximization, JMLR 13, equation 5.
    """
    n = len(one)
    if n < 4:
        return float("nan")
    first, second = (values @ values.T for values in (one, other))
    np.fill_diagonal(first, 0.0)
    np.fill_diagonal(second, 0.0)
    whole = float((first * second).sum())
    sums = float(first.sum() * second.sum()) / ((n - 1) * (n - 2))
    across = 2 / (n - 2) * float(first.sum(axis=0) @ second.sum(axis=1))
    return (whole + sums - across) / (n * (n - 3))


def combine_similarity(
    layer: Int64[np.ndarray, " parts"],
    *,
    images: Int64[np.ndarray, " parts"],
    cross: Float64[np.ndarray, " parts"],
    clean: Float64[np.ndarray, " parts"],
    view: Float64[np.ndarray, " parts"],
) -> Float64[np.ndarray, " layers"]:
    """Combine parts of the images into one CKA a layer.

    HSIC is unbiased in every part, so its mean over parts, weighted by images, estimates that of all.

    Args:
        layer: Layer of each part, from 0.
        images: Number of images in the part.
        cross: HSIC of originals and views.
        clean: HSIC of the originals with themselves.
        view: HSIC of the views with themselves.

    Returns:
        CKA of each layer, at most about 1; NaN where no part has four images or nothing varies.

    References:
        Nguyen, Raghu & Kornblith 2021, Do Wide and Deep Networks Learn the Same Things?, appendix A.
    """
    layers = int(layer.max()) + 1 if len(layer) else 0
    known = ~np.isnan(cross) & ~np.isnan(clean) & ~np.isnan(view)
    sums = [
        np.bincount(layer[known], weights=(images * values)[known], minlength=layers)
        for values in (cross, clean, view)
    ]
    below = sums[1] * sums[2]
    return np.divide(sums[0], np.sqrt(np.abs(below)), out=np.full(layers, np.nan), where=below > 0)
