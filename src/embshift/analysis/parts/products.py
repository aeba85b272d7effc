"""Sums of products of columns over images: what covariances of means are computed from.

All sums are over distances from one fixed value for each column, the metric's value at identity. So sums of
parts are added up, and shifts that are small beside the values keep their digits.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

__all__ = [
    "Products",
    "WholeSums",
    "add_products",
    "merge_sums",
    "sum_products",
    "sum_scores",
    "sum_whole_images",
]

Square = Float64[np.ndarray, "columns columns"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Products:
    """Sums over the images on which both columns are defined.

    Attributes:
        n: Number of these images.
        sums: Sum of the row's column.
        cross: Sum of the product of both.
    """

    n: Square
    sums: Square
    cross: Square


def sum_products(apart: Float64[np.ndarray, "images columns"], /) -> Products:
    """Sum products of distances; NaN is left out."""
    defined = ~np.isnan(apart)
    if defined.all():
        shape = (apart.shape[1], apart.shape[1])
        sums = np.broadcast_to(apart.sum(axis=0)[:, None], shape)
        return Products(n=np.full(shape, float(len(apart))), sums=sums, cross=apart.T @ apart)
    held, known = np.where(defined, apart, 0.0), defined.astype(np.float64)
    return Products(n=known.T @ known, sums=held.T @ known, cross=held.T @ held)


def add_products(one: Products, other: Products, /) -> Products:
    """Add the sums of two parts."""
    return Products(n=one.n + other.n, sums=one.sums + other.sums, cross=one.cross + other.cross)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WholeSums:
    """Sums over the images that have every column of a set, for one or several sets of columns.

    A column without any value belongs to no set. Which columns have one is known at the end only; but an
    image before the first value of a column lacks this column, so it is not whole, and its sums are dropped.

    Attributes:
        held: Whether a column has had a value.
        sets: Number of the set that each column belongs to.
        n: Number of whole images of each set.
        sums: Sum over the whole images of a column's set.
        cross: Sum of products over the images that are whole in the sets of both columns.
    """

    held: Bool[np.ndarray, " columns"]
    sets: Int64[np.ndarray, " columns"]
    n: Int64[np.ndarray, " sets"]
    sums: Float64[np.ndarray, " columns"]
    cross: Square


def sum_whole_images(
    apart: Float64[np.ndarray, "images columns"],
    /,
    *,
    sets: Int64[np.ndarray, " columns"],
    products: Products | None = None,
) -> WholeSums:
    """Sum over whole images.

    Args:
        apart: Distances, NaN where undefined.
        sets: Number of the set of each column, from 0.
        products: Result of `sum_products` of the same distances; where none is undefined, it is taken over.
    """
    defined, count = ~np.isnan(apart), int(sets.max(initial=-1)) + 1
    held = np.asarray(defined.any(axis=0))
    whole = np.zeros((len(apart), count), bool)
    for at in range(count):
        own = held & (sets == at)
        whole[:, at] = defined[:, own].all(axis=1) & own.any()
    if products is not None and defined.all():
        sums, cross = apart.sum(axis=0), products.cross
    else:
        kept = np.where(whole[:, sets] & held, apart, 0.0)
        sums, cross = kept.sum(axis=0), kept.T @ kept
    return WholeSums(held=held, sets=sets, n=whole.sum(axis=0), sums=sums, cross=cross)


def sum_scores(scores: Float64[np.ndarray, "images columns"], /) -> WholeSums:
    """Sum over the images that have every score; all columns are one set."""
    return sum_whole_images(scores, sets=np.zeros(scores.shape[1], np.int64))


def merge_sums(one: WholeSums, other: WholeSums, /) -> WholeSums:
    """Merge the sums of two parts; those of a set in which the other part has more columns are dropped."""
    held = one.held | other.held
    kept_one, kept_other = (_find_kept(part, held) for part in (one, other))
    return WholeSums(
        held=held,
        sets=one.sets,
        n=one.n * kept_one + other.n * kept_other,
        sums=one.sums * kept_one[one.sets] + other.sums * kept_other[one.sets],
        cross=_keep(one, kept_one) + _keep(other, kept_other),
    )


def _find_kept(part: WholeSums, held: Bool[np.ndarray, " columns"]) -> Bool[np.ndarray, " sets"]:
    """Return the sets in which a part has had a value of every column that has one."""
    lacking = np.zeros(len(part.n), bool)
    lacking[part.sets[held & ~part.held]] = True
    return ~lacking


def _keep(part: WholeSums, kept: Bool[np.ndarray, " sets"]) -> Square:
    columns = kept[part.sets]
    return part.cross * (columns[:, None] & columns)
