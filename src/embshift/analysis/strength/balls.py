"""Smallest balls that hold the embeddings of an image and of its views: the worst case of a transform."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

__all__ = ["Ball", "divergence_radii", "divergence_radius"]

TOLERANCE = 1e-6
"""Greatest difference between the radius and the least possible one, relative to it."""

_MOST_STEPS = 100_000

_BLOCK = 1 << 22
"""Numbers held at once: 32 MiB as float64."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ball:
    """A ball that holds all of its points.

    Attributes:
        radius: Its radius, at most 1e-6 greater than that of the smallest such ball, relative to it; NaN
            without points.
        centre: Its centre.
        iterations: Number of steps taken.
    """

    radius: float
    centre: Float64[np.ndarray, " dim"]
    iterations: int


def divergence_radius(points: Float64[np.ndarray, "points dim"], /) -> Ball:
    """Find the smallest ball that holds the embeddings of an image and of its views.

    Bădoiu and Clarkson's steps towards the farthest point, with steps away from points that are too near,
    which make it converge linearly. With weights u ≥ 0 that sum to 1 the centre is Σ uᵢxᵢ. Its greatest
    distance to a point bounds the least radius from above, √(Σ uᵢ‖xᵢ‖² − ‖Σ uᵢxᵢ‖²) from below. It stops
    where they agree to 1e-6. Welzl's method would not do: its time grows exponentially with the dimension.

    Args:
        points: Embeddings, of length 1 for a radius on the scale of the cosine; a row with NaN is left out.

    Returns:
        The ball; for points of length 1 the radius is from 0 to 1, up to 1e-6.

    References:
        Bădoiu & Clarkson 2003, Smaller core-sets for balls, SODA; Yıldırım 2008, Two algorithms for the
        minimum enclosing ball problem, SIAM J. Optim. 19(3), algorithm 4.1; Liu et al. 2026 (arXiv
        2604.14973) for the radius as a measure of robustness.
    """
    known = points[~np.isnan(points).any(axis=1)]
    if not len(known):
        return Ball(radius=math.nan, centre=np.full(points.shape[1], np.nan), iterations=0)
    middle = known.mean(axis=0)
    moved = known - middle  # differences alone matter, and keep precision where points are close together
    weights, iterations = (one[0] for one in _find_weights((moved @ moved.T)[None]))
    centre = weights @ moved
    radius = float(np.linalg.norm(moved - centre, axis=1).max())
    return Ball(radius=radius, centre=centre + middle, iterations=int(iterations))


def divergence_radii(points: Float64[np.ndarray, "images points dim"], /) -> Float64[np.ndarray, " images"]:
    """Find the radius of the smallest ball of every image, as `divergence_radius` does for one.

    Args:
        points: Embeddings of each image and of its views, of length 1; an image with a NaN has no radius.

    Returns:
        From 0 to 1, up to 1e-6; NaN for an image that lacks a view.
    """
    known = np.flatnonzero(~np.isnan(points).any(axis=(1, 2)))
    found = np.full(len(points), np.nan)
    step = max(1, _BLOCK // max(points[:1].size, 1))
    for at in range(0, len(known), step):
        own = known[at : at + step]
        moved = points[own] - points[own].mean(axis=1, keepdims=True)
        weights, _ = _find_weights(moved @ moved.transpose(0, 2, 1))
        centre = weights[:, None] @ moved  # images 1 dim
        found[own] = np.linalg.norm(moved - centre, axis=2).max(axis=1)
    return found


def _find_weights(
    grams: Float64[np.ndarray, "images points points"],
) -> tuple[Float64[np.ndarray, "images points"], Int64[np.ndarray, " images"]]:
    """Return the weights of the points whose mean is the centre, and the number of steps."""
    squares = np.einsum("ijj->ij", grams)
    each = np.arange(len(grams))
    first = squares.argmax(axis=1)
    second = (squares - 2 * grams[each, first]).argmax(axis=1)
    weights = np.zeros(squares.shape)
    weights[each, first] += 0.5
    weights[each, second] += 0.5
    steps, open_ = np.full(len(grams), _MOST_STEPS), each
    for step in range(_MOST_STEPS):
        moved, going = _step(grams[open_], weights[open_])
        weights[open_], steps[open_[~going]] = moved, step
        open_ = open_[going]
        if not len(open_):
            break
    return weights, steps


def _step(
    grams: Float64[np.ndarray, "images points points"], weights: Float64[np.ndarray, "images points"]
) -> tuple[Float64[np.ndarray, "images points"], Bool[np.ndarray, " images"]]:
    """Take one step where a ball is not yet small enough; return the weights, and where one was taken."""
    squares, each = np.einsum("ijj->ij", grams), np.arange(len(grams))
    products = np.einsum("ijk,ik->ij", grams, weights)
    length = np.einsum("ij,ij->i", weights, products)
    distances = squares - 2 * products + length[:, None]  # squared, from the centre
    bound = np.einsum("ij,ij->i", weights, squares) - length
    far, near = distances.argmax(axis=1), np.where(weights > 0, distances, np.inf).argmin(axis=1)
    going = (distances[each, far] > np.maximum(bound, 0.0) * (1 + TOLERANCE) ** 2) & (bound > 0)
    scale = np.where(going, bound, 1.0)
    excess, lack = distances[each, far] / scale - 1, 1 - distances[each, near] / scale
    towards, away = going & (excess >= lack), going & (excess < lack)
    moved = weights.copy()
    _approach(moved, towards, far, excess)
    _retreat(moved, away, near, lack)
    return moved, going


def _approach(
    weights: Float64[np.ndarray, "images points"],
    taken: Bool[np.ndarray, " images"],
    far: Int64[np.ndarray, " images"],
    excess: Float64[np.ndarray, " images"],
) -> None:
    """Step towards the farthest point of the taken images, in place."""
    rows = np.flatnonzero(taken)
    size = excess[rows] / (2 * (1 + excess[rows]))
    weights[rows] *= (1 - size)[:, None]
    weights[rows, far[rows]] += size


def _retreat(
    weights: Float64[np.ndarray, "images points"],
    taken: Bool[np.ndarray, " images"],
    near: Int64[np.ndarray, " images"],
    lack: Float64[np.ndarray, " images"],
) -> None:
    """Step away from the nearest point with a weight of the taken images, in place."""
    rows = np.flatnonzero(taken)
    own, short = weights[rows, near[rows]], lack[rows]
    most = own / (1 - own)
    size = np.where(short < 1, np.minimum(short / (2 * np.where(short < 1, 1 - short, 1.0)), most), most)
    weights[rows] *= (1 + size)[:, None]
    weights[rows, near[rows]] = np.where(size == most, 0.0, weights[rows, near[rows]] - size)
