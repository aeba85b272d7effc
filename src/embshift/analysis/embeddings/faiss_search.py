"""Which pictures lie nearest to a vector, through an index of faiss: soon, and nearly always right.

The gallery is cut into lists around centres, and a query is compared with the pictures of the nearest lists
alone (an inverted file; Jégou et al. 2011, IEEE PAMI 33(1), section 4.1).
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
"""Nearest others that are looked at: a rank beyond is not told."""

CHECKED = 500
"""Queries that are asked exactly too, to tell what the index misses."""

WANTED_SHARE = 0.99
"""Share of the true neighbours of a sample that the index is to find: lists are added until it does."""

_MOST = 0.25
"""Share of the lists that are searched at most: with more the exact search is hardly slower."""

_BLOCK = 1 << 14  # queries at once
_TRAINING = 64  # pictures for each centre; faiss warns below 39
FIRST_PROBES = 8  # lists that are searched where that is enough
_SPARE = 8  # candidates beyond the nearest asked for, whose order float32 leaves open


@final
class ApproximateSearch:
    """An index over a gallery, held open; `scan` without the promise to find all.

    What it gives is settled in float64, as by `scan`, but it may miss pictures. So a rank is never greater
    than the true one, and the best other never nearer. A rank beyond `PLACES` is given as the next.

    Args:
        gallery: Unit vectors.
        neighbours: Nearest others wanted; fewer come back where there are fewer.
        seed: Seed of the centres and of the sample that the number of lists is first chosen by.

    Attributes:
        lists: Number of lists.
        probes: How many of them are searched for a query: as the last `tune` chose.

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
        """Every query against the gallery.

        Args:
            queries: Unit vectors.
            own: Position of each query's own picture in the gallery.
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
        """Search so many lists that enough of what is nearest to a sample of the queries is found.

        Queries that lie far from all pictures, as strongly changed views do, take more lists than originals.

        Args:
            queries: Unit vectors of one kind.
            own: As of a search.
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
        # One more, for the query's own picture may be among them.
        products, ids = self._index.search(queries.astype(np.float32), looked + 1)
        products[(ids == own[:, None]) | (ids < 0)] = -np.inf
        exact = np.einsum("ij,ij->i", queries, self._gallery[own])
        rank = self._ranks(products, ids, queries, exact)
        nearest, best = self._nearest(products, ids, queries)
        found = Scan(rank=np.minimum(rank, PLACES + 1), own=exact, best=best, nearest=nearest)
        few = np.flatnonzero(np.isfinite(products).sum(axis=1) < looked)
        if len(few):
            # The lists that were searched held fewer pictures than were looked for.
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
        chosen = np.sort(chosen, axis=1)  # of equal ones the first in the gallery, as `scan` has it
        row, column = np.nonzero(chosen < len(self._gallery))
        values = np.full(chosen.shape, -np.inf)
        values[row, column] = compute_products(queries, self._gallery, row=row, picture=chosen[row, column])
        order = np.argsort(-values, axis=1, kind="stable")[:, : self._wanted]
        nearest = np.take_along_axis(chosen, order, axis=1)
        return nearest, np.take_along_axis(values, order, axis=1)[:, 0]


def shared_share(
    true: Int64[np.ndarray, "queries neighbours"], found: Int64[np.ndarray, "queries neighbours"], /
) -> float:
    """Share of the true neighbours that were found; 1 where there are none."""
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
