"""Approximate nearest neighbours through a faiss index: fast, and nearly always right.

The gallery is divided into lists around centres, and a query is compared only with the images of the nearest
lists (an inverted file; Jégou et al. 2011, IEEE PAMI 33(1), section 4.1).
"""

import importlib
import math
from typing import Any, final

import numpy as np
from jaxtyping import Float32, Float64, Int64

from embshift.analysis.embeddings.neighbours import (
    Gallery,
    Queries,
    Scan,
    compute_products,
    scan,
    screening_error,
)
from embshift.core.errors import MissingExtraError

__all__ = ["CHECKED", "PLACES", "ApproximateSearch", "shared_share"]

PLACES = 100
"""Number of nearest others that are examined; greater ranks are not determined."""

CHECKED = 500
"""Number of queries that are also searched exactly, to measure what the index misses."""

WANTED_SHARE = 0.99
"""Share of the true neighbours of a sample that the index must find; lists are added until it does."""

_MOST = 0.25
"""Greatest share of the lists that is searched: with more, the exact search is hardly slower."""

_BLOCK = 1 << 14  # queries at once
_TRAINING = 64  # images for each centre; faiss warns below 39

FIRST_PROBES = 8
"""Lists that are searched first; more are added only if these do not suffice."""

_SPARE = 8  # candidates beyond the nearest asked for, whose order in float32 is uncertain


@final
class ApproximateSearch:
    """An index over a gallery: `scan` without the guarantee to find all neighbours.

    Results are computed in float64, as by `scan`, but images may be missed. So a rank is never greater than
    the true rank, and the best other image never nearer than the true one. A rank beyond `PLACES` is given as
    `PLACES` + 1.

    Args:
        gallery: Unit vectors.
        neighbours: Number of neighbours; fewer are returned if there are fewer.
        seed: Seed of the centres, and of the sample by which the number of searched lists is first chosen.

    Attributes:
        lists: Number of lists.
        probes: Number of lists searched for a query, as chosen by the last call of `tune`.

    Raises:
        MissingExtraError: faiss is not installed.
    """

    def __init__(self, gallery: Gallery, *, neighbours: int, seed: int) -> None:
        self._gallery = gallery
        self._wanted = min(neighbours, len(gallery) - 1) if len(gallery) else 0
        self.lists = max(1, min(int(4 * math.sqrt(len(gallery))), len(gallery) // _TRAINING))
        self._index = _index(gallery.astype(np.float32), lists=self.lists, seed=seed)
        self.probes = 1
        self.tune(gallery, own=np.arange(len(gallery)), seed=seed)

    def __call__(self, queries: Queries, /, *, own: Int64[np.ndarray, " queries"]) -> Scan:
        """Compare every query with the gallery.

        Args:
            queries: Unit vectors.
            own: Position of each query's own image in the gallery.
        """
        starts = range(0, max(len(queries), 1), _BLOCK)
        parts = [
            self._part(queries[at : at + _BLOCK], own[at : at + _BLOCK], probes=self.probes) for at in starts
        ]
        return Scan(
            rank=np.concatenate([part.rank for part in parts]),
            own=np.concatenate([part.own for part in parts]),
            best=np.concatenate([part.best for part in parts]),
            nearest=np.concatenate([part.nearest for part in parts]),
        )

    def tune(self, queries: Queries, /, *, own: Int64[np.ndarray, " queries"], seed: int) -> None:
        """Choose the number of lists to search, so that enough true neighbours of a sample are found.

        Queries far from all images, as strongly changed views are, need more lists than originals.

        Args:
            queries: Unit vectors of one kind.
            own: Position of each query's own image in the gallery.
            seed: Seed of the sample.
        """
        count = min(CHECKED, len(queries))
        asked = np.random.default_rng((seed, 3)).choice(len(queries), size=count, replace=False)
        sample, mine = queries[asked], own[asked]
        true = scan(sample, self._gallery, own=mine, neighbours=self._wanted).nearest
        most = max(FIRST_PROBES, math.ceil(self.lists * _MOST))
        self.probes = min(FIRST_PROBES, self.lists)
        while self.probes < min(most, self.lists):
            if shared_share(true, self(sample, own=mine).nearest) >= WANTED_SHARE:
                return
            self.probes = min(2 * self.probes, most, self.lists)

    def _part(self, queries: Queries, own: Int64[np.ndarray, " queries"], *, probes: int) -> Scan:
        looked = min(max(PLACES, self._wanted + _SPARE), len(self._gallery) - 1)
        self._index.nprobe = probes
        # One more, since the query's own image may be among them.
        products, ids = self._index.search(queries.astype(np.float32), looked + 1)
        products[(ids == own[:, None]) | (ids < 0)] = -np.inf
        exact = np.einsum("ij,ij->i", queries, self._gallery[own])
        rank = self._ranks(products, ids, queries, exact)
        nearest, best = self._nearest(products, ids, queries)
        found = Scan(rank=np.minimum(rank, PLACES + 1), own=exact, best=best, nearest=nearest)
        few = np.flatnonzero(np.isfinite(products).sum(axis=1) < looked)
        if len(few):
            # The searched lists held fewer images than wanted: search all lists.
            whole = self._part(queries[few], own[few], probes=self.lists)
            found.rank[few], found.best[few], found.nearest[few] = whole.rank, whole.best, whole.nearest
        return found

    def _ranks(
        self,
        products: Float32[np.ndarray, "queries found"],
        ids: Int64[np.ndarray, "queries found"],
        queries: Queries,
        exact: Float64[np.ndarray, " queries"],
    ) -> Int64[np.ndarray, " queries"]:
        open_ = screening_error(self._gallery.shape[1])
        above = products > (exact + open_).astype(np.float32)[:, None]
        near = ~above & (products >= (exact - open_).astype(np.float32)[:, None])
        row, column = np.nonzero(near)
        values = compute_products(queries, self._gallery, row=row, picture=ids[row, column])
        ahead = values >= exact[row]
        return 1 + above.sum(axis=1) + np.bincount(row[ahead], minlength=len(queries))

    def _nearest(
        self,
        products: Float32[np.ndarray, "queries found"],
        ids: Int64[np.ndarray, "queries found"],
        queries: Queries,
    ) -> tuple[Int64[np.ndarray, "queries neighbours"], Float64[np.ndarray, " queries"]]:
        if not self._wanted:
            return np.empty((len(queries), 0), np.int64), np.full(len(queries), np.nan)
        taken = min(self._wanted + _SPARE, products.shape[1])
        first = np.argsort(-products, axis=1, kind="stable")[:, :taken]
        gone = np.isneginf(np.take_along_axis(products, first, axis=1))
        chosen = np.where(gone, len(self._gallery), np.take_along_axis(ids, first, axis=1))
        chosen = np.sort(chosen, axis=1)  # ties in the order of the gallery, as in `scan`
        row, column = np.nonzero(chosen < len(self._gallery))
        values = np.full(chosen.shape, -np.inf)
        values[row, column] = compute_products(queries, self._gallery, row=row, picture=chosen[row, column])
        order = np.argsort(-values, axis=1, kind="stable")[:, : self._wanted]
        nearest = np.take_along_axis(chosen, order, axis=1)
        return nearest, np.take_along_axis(values, order, axis=1)[:, 0]


def shared_share(
    true: Int64[np.ndarray, "queries neighbours"], found: Int64[np.ndarray, "queries neighbours"], /
) -> float:
    """Return the share of the true neighbours that were found; 1 if there are none."""
    shared = [len(np.intersect1d(one, other)) for one, other in zip(true, found, strict=True)]
    return sum(shared) / true.size if true.size else 1.0


def _index(vectors: Float32[np.ndarray, "pictures dim"], *, lists: int, seed: int) -> Any:
    library = _library()
    dim = vectors.shape[1]
    index = library.IndexIVFFlat(library.IndexFlatIP(dim), dim, lists, library.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.spherical = seed, True
    index.cp.max_points_per_centroid = _TRAINING
    index.train(vectors)
    index.add(vectors)
    return index


def _library() -> Any:
    try:
        return importlib.import_module("faiss")
    except ImportError:
        raise MissingExtraError("faiss", "faiss") from None
