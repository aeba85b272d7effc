"""Exact nearest neighbours: screened in float32, decided in float64, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

__all__ = [
    "PRODUCTS_AT_ONCE",
    "Gallery",
    "Queries",
    "Scan",
    "compute_products",
    "count_true",
    "find_nearest",
    "half_squared_distances",
    "rank_products",
    "scan",
    "screening_error",
]

Queries: TypeAlias = Float64[np.ndarray, "queries dim"]

Gallery: TypeAlias = Float64[np.ndarray, "pictures dim"]
Indices: TypeAlias = Int64[np.ndarray, " indices"]

PRODUCTS_AT_ONCE = 1 << 24
"""Products held at once: 64 MiB as float32, whatever the number of images."""

NUMBERS_AT_ONCE = 1 << 21
"""Numbers gathered at once to decide near ties: 16 MiB as float64, twice."""

_FEW = 64
"""Candidates of a row up to which they are decided together with those of other rows."""

_SPARE = 8
"""Candidates beyond the nearest asked for, so that few rows need all their products in float64."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scan:
    """The result of comparing every query with the whole gallery.

    Attributes:
        rank: 1 + the number of other images at least as near as the query's own; ties count against it.
        own: Cosine of the query and its own image.
        best: Cosine of the query and its nearest other image; NaN without another.
        nearest: Positions of the nearest other images, nearest first; ties in the order of the gallery.
    """

    rank: Int64[np.ndarray, " queries"]
    own: Float64[np.ndarray, " queries"]
    best: Float64[np.ndarray, " queries"]
    nearest: Int64[np.ndarray, "queries neighbours"]


def half_squared_distances(
    one: Float64[np.ndarray, "vectors dim"], other: Float64[np.ndarray, "vectors dim"], /
) -> Float64[np.ndarray, " vectors"]:
    """Return ½‖z − z′‖² of unit vectors: 1 − cosine without its loss of digits near 0; from 0 to 2."""
    apart = one - other
    return 0.5 * np.einsum("ij,ij->i", apart, apart)


def scan(
    queries: Float64[np.ndarray, "queries dim"],
    gallery: Float64[np.ndarray, "pictures dim"],
    /,
    *,
    own: Int64[np.ndarray, " queries"],
    neighbours: int = 1,
) -> Scan:
    """Find the rank of each query's own image in the gallery, and its nearest neighbours.

    Matrix products in float32 find the candidates. Whatever lies within their rounding error of a decision is
    computed again in float64, each product by the same loop, so that equal vectors tie exactly. The result is
    that of float64 throughout, in half the time and memory.

    Args:
        queries: Unit vectors.
        gallery: Unit vectors.
        own: Position of each query's own image in the gallery.
        neighbours: Number of neighbours; fewer are returned if there are fewer.
    """
    wanted = min(neighbours, len(gallery) - 1) if len(gallery) else 0
    parts = list(_parts(queries, gallery, own=own, wanted=wanted))
    nearest = [part.nearest for part in parts]
    return Scan(
        rank=np.concatenate([part.rank for part in parts] or [np.empty(0, np.int64)]),
        own=np.concatenate([part.own for part in parts] or [np.empty(0)]),
        best=np.concatenate([part.best for part in parts] or [np.empty(0)]),
        nearest=np.concatenate(nearest) if nearest else np.empty((0, wanted), np.int64),
    )


def _parts(
    queries: Queries, gallery: Gallery, *, own: Int64[np.ndarray, " queries"], wanted: int
) -> Iterator[Scan]:
    screened = gallery.astype(np.float32).T
    block = max(1, PRODUCTS_AT_ONCE // max(len(gallery), 1))
    for start in range(0, len(queries), block):
        rows = slice(start, start + block)
        part, mine = queries[rows], own[rows]
        products = np.asarray(part.astype(np.float32) @ screened)
        exact = np.einsum("ij,ij->i", part, gallery[mine])
        rank = rank_products(products, part, gallery, own=mine, exact=exact)
        products[np.arange(len(part)), mine] = -np.inf
        nearest, best = _nearest(products, part, gallery, own=mine, wanted=wanted)
        yield Scan(rank=rank, own=exact, best=best, nearest=nearest)


def count_true(found: Bool[np.ndarray, "rows columns"], /) -> Int64[np.ndarray, " rows"]:
    """Count the true values of each row; several times as fast as a sum along an axis."""
    return np.fromiter(map(np.count_nonzero, found), np.int64, count=len(found))


def find_nearest(units: Float64[np.ndarray, "pictures dim"], /, *, asked: Indices) -> Indices:
    """Find the nearest other image of each image that is asked for, as `scan` does, in less time.

    Args:
        units: Unit vectors, two or more.
        asked: Positions of the images whose nearest neighbour is sought.

    Returns:
        Its position; the first one among equals.
    """
    screened = units.astype(np.float32)
    block = max(1, PRODUCTS_AT_ONCE // len(units))
    found = [np.empty(0, np.int64)]
    for start in range(0, len(asked), block):
        own = asked[start : start + block]
        products = np.asarray(screened[own] @ screened.T)
        products[np.arange(len(own)), own] = -np.inf
        found.append(_decide_nearest(products, units, own=own))
    return np.concatenate(found)


def _decide_nearest(
    products: Float32[np.ndarray, "queries pictures"], units: Gallery, *, own: Indices
) -> Indices:
    """Decide in float64 among all images whose product may be the highest of its row."""
    doubt = np.float32(screening_error(units.shape[1]))
    near = products >= (products.max(axis=1) - doubt)[:, None]
    many = np.flatnonzero(count_true(near) > _FEW)
    near[many] = False
    row, picture = np.divmod(np.flatnonzero(near), near.shape[1])
    values = compute_products(units[own], units, row=row, picture=picture)
    order = np.lexsort((picture, -values, row))
    rows, first = np.unique(row[order], return_index=True)
    found = np.empty(len(own), np.int64)
    found[rows] = picture[order[first]]
    for at in many.tolist():
        nearest, _ = _nearest_of_one(units[own[at]], units, own=int(own[at]), wanted=1)
        found[at] = nearest[0]
    return found


def screening_error(dim: int) -> float:
    """Return twice the greatest error of a float32 product of unit vectors (Higham 2002, section 3.1)."""
    return 2 * (dim + 8) * 2.0**-24


def rank_products(
    products: Float32[np.ndarray, "queries pictures"],
    queries: Queries,
    gallery: Gallery,
    *,
    own: Int64[np.ndarray, " queries"],
    exact: Float64[np.ndarray, " queries"],
) -> Int64[np.ndarray, " queries"]:
    """Return the rank of each query's own image; near ties are computed again in float64.

    Args:
        products: Cosines of all queries and images in float32.
        queries: Unit vectors.
        gallery: Unit vectors.
        own: Position of each query's own image.
        exact: Cosine of each query and its own image in float64.
    """
    doubt = screening_error(gallery.shape[1])
    above = products > (exact + doubt).astype(np.float32)[:, None]
    near: Bool[np.ndarray, "queries pictures"] = products >= (exact - doubt).astype(np.float32)[:, None]
    near ^= above  # what is above is also near
    near[np.arange(len(queries)), own] = False
    rank = 1 + count_true(above)
    row, picture = np.divmod(np.flatnonzero(near), near.shape[1])  # several times as fast as np.nonzero
    ahead = compute_products(queries, gallery, row=row, picture=picture) >= exact[row]
    return rank + np.bincount(row[ahead], minlength=len(queries))


def compute_products(
    queries: Queries, gallery: Gallery, *, row: Indices, picture: Indices
) -> Float64[np.ndarray, " indices"]:
    """Compute products of chosen queries and images in float64, one by one."""
    found = np.empty(len(row))
    step = max(1, NUMBERS_AT_ONCE // gallery.shape[1])
    for start in range(0, len(row), step):
        part = slice(start, start + step)
        found[part] = np.einsum("ij,ij->i", queries[row[part]], gallery[picture[part]])
    return found


def _nearest(
    products: Float32[np.ndarray, "queries pictures"],
    queries: Queries,
    gallery: Gallery,
    *,
    own: Int64[np.ndarray, " queries"],
    wanted: int,
) -> tuple[Int64[np.ndarray, "queries neighbours"], Float64[np.ndarray, " queries"]]:
    if not wanted:
        return np.empty((len(queries), 0), np.int64), np.full(len(queries), np.nan)
    taken = min(wanted + _SPARE, len(gallery) - 1)
    chosen = np.sort(np.argpartition(products, -taken, axis=1)[:, -taken:], axis=1)  # queries taken
    row = np.repeat(np.arange(len(queries)), taken)
    values = compute_products(queries, gallery, row=row, picture=chosen.ravel()).reshape(chosen.shape)
    order = np.argsort(-values, axis=1, kind="stable")[:, :wanted]
    nearest, cosines = np.take_along_axis(chosen, order, axis=1), np.take_along_axis(values, order, axis=1)
    best = cosines[:, 0].copy()
    if taken < len(gallery) - 1:
        last = np.take_along_axis(products, chosen, axis=1).min(axis=1)
        open_ = np.flatnonzero(last + screening_error(gallery.shape[1]) >= cosines[:, -1])
        for at in open_.tolist():
            nearest[at], best[at] = _nearest_of_one(queries[at], gallery, own=int(own[at]), wanted=wanted)
    return nearest, best


def _nearest_of_one(
    query: Float64[np.ndarray, " dim"], gallery: Gallery, *, own: int, wanted: int
) -> tuple[Int64[np.ndarray, " neighbours"], float]:
    """Compute all products of one query in float64, for when more images tie than were taken."""
    values = np.einsum("ij,ij->i", np.broadcast_to(query, gallery.shape), gallery)
    values[own] = -np.inf
    found = np.argsort(-values, kind="stable")[:wanted]
    return found, float(values[found[0]])
