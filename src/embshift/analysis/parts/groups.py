"""Groups of images, chosen by a hash of the image id: the same in every part, and for every engine."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.runs.image_ids import Hashes

__all__ = ["GROUPS", "GroupSums", "add_groups", "sum_groups"]

GROUPS = 1024
"""Number of groups."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupSums:
    """Sums over the images of each group.

    Attributes:
        n: Number of defined values.
        sums: Sum of their distances from the metric's value at identity.
    """

    n: Int64[np.ndarray, "groups columns"]
    sums: Float64[np.ndarray, "groups columns"]


def sum_groups(apart: Float64[np.ndarray, "images columns"], /, *, hashes: Hashes) -> GroupSums:
    """Sum distances by group; NaN is left out.

    Args:
        apart: Distances of each image and column.
        hashes: Hash of each image.
    """
    group = (hashes % np.uint64(GROUPS)).astype(np.int64)
    columns = apart.shape[1]
    place = (group[:, None] * columns + np.arange(columns)).ravel()
    defined, shape = ~np.isnan(apart), (GROUPS, columns)
    sums = np.bincount(place, np.where(defined, apart, 0.0).ravel(), GROUPS * columns)
    n = np.bincount(place, defined.ravel(), GROUPS * columns)
    # Without an image, the counts would be whole numbers where floats are meant.
    return GroupSums(n=n.astype(np.int64).reshape(shape), sums=sums.astype(np.float64).reshape(shape))


def add_groups(one: GroupSums, other: GroupSums, /) -> GroupSums:
    """Add the sums of two parts."""
    return GroupSums(n=one.n + other.n, sums=one.sums + other.sums)
