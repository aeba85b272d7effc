"""Two coordinates for each embedding: the first two principal components."""

import numpy as np
from jaxtyping import Float64

__all__ = ["find_axes", "orient", "project"]


def project(
    units: Float64[np.ndarray, "points dim"],
) -> tuple[Float64[np.ndarray, "points 2"], float]:
    """Return the first two principal components of unit vectors, and their share of the variance.

    The signs are such that the largest loading of each component is positive, so that the same embeddings
    always give the same coordinates. A missing second component is 0.

    Args:
        units: Vectors of length 1.

    Returns:
        Coordinates, and the share of the total variance that they hold, from 0 to 1; NaN without variance.
    """
    axes, share = find_axes(units)
    found = np.zeros((len(units), 2))
    found[:, : axes.shape[1]] = (units - units.mean(axis=0)) @ axes
    return found, share


def find_axes(units: Float64[np.ndarray, "points dim"]) -> tuple[Float64[np.ndarray, "dim axes"], float]:
    """Return the axes of the first two principal components, and their share of the variance.

    Args:
        units: Vectors of length 1.

    Returns:
        One column an axis, one alone for vectors of one number; the share, NaN without variance.
    """
    centred = units - units.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)  # ascending
    axes = orient(vectors[:, ::-1][:, :2])
    total = float(np.clip(values, 0, None).sum())
    return axes, float(values[::-1][:2].sum()) / total if total > 0 else float("nan")


def orient(axes: Float64[np.ndarray, "dim axes"]) -> Float64[np.ndarray, "dim axes"]:
    """Return axes with such signs that the largest loading of each is positive."""
    largest = np.abs(axes).argmax(axis=0)
    return axes * np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
