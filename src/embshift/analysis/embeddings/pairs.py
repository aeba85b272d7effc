"""Pairs of originals and views: the input of measurements beyond the shift table."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from embshift.core.errors import PlanError

__all__ = [
    "ALL",
    "QUERIES",
    "DrawViews",
    "Pairs",
    "ReadViews",
    "average_draws",
    "format_sample_notes",
    "make_pairs",
    "stack_views",
    "unit_vectors",
]

ALL, QUERIES = 100_000, 2_000
"""Number of images up to which all are queried by default, and the number queried beyond that."""

Vectors: TypeAlias = Float64[np.ndarray, "images dim"]

ReadViews: TypeAlias = Callable[
    [str], tuple[Int64[np.ndarray, " views"], Int64[np.ndarray, " views"], Float[np.ndarray, "views dim"]]
]
"""Takes the name of a transform; returns rows of the listing, draws and raw embeddings of its views."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawViews:
    """The views of one draw of one transform.

    Attributes:
        at: Position of each view's original in `Pairs`.
        units: Embeddings of length 1, float64.
        norms: Lengths of the raw embeddings.
    """

    at: Int64[np.ndarray, " views"]
    units: Float64[np.ndarray, "views dim"]
    norms: Float64[np.ndarray, " views"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pairs:
    """Originals, each image once, and access to their views.

    Attributes:
        rows: Row of each original in the listing, ascending.
        ids: Its image id.
        units: Embeddings of length 1, float64.
        norms: Lengths of the raw embeddings.
        left_out: Number of originals without an angle: all zeros, or not finite.
        transforms: Names of the transforms, in the order of the plan.
        read: Reads the views of one transform; they are not kept, so that memory holds one transform at a
            time.
    """

    rows: Int64[np.ndarray, " images"]
    ids: tuple[str, ...]
    units: Float64[np.ndarray, "images dim"]
    norms: Float64[np.ndarray, " images"]
    left_out: int
    transforms: tuple[str, ...]
    read: ReadViews

    def __len__(self) -> int:
        return len(self.rows)

    def views(
        self, transform: str, *, among: Int64[np.ndarray, " asked"] | None = None
    ) -> tuple[tuple[DrawViews, ...], Bool[np.ndarray, " images"]]:
        """Return the draws of a transform, and which originals have any view, with an angle or without.

        Args:
            transform: Its name.
            among: Positions of the originals whose views are wanted; all where None.
        """
        rows, draws, values = self.read(transform)
        at = np.minimum(np.searchsorted(self.rows, rows), max(len(self.rows) - 1, 0))
        known = self.rows[at] == rows if len(self.rows) else np.zeros(len(rows), bool)
        if among is not None:
            known &= np.isin(at, among)
        recorded = np.zeros(len(self.rows), bool)
        recorded[at[known]] = True
        units, norms = unit_vectors(values[known])
        at, draws, angled = at[known], draws[known], ~np.isnan(norms)
        return tuple(
            DrawViews(at=at[own], units=units[own], norms=norms[own])
            for own in (angled & (draws == draw) for draw in np.unique(draws[angled]).tolist())
        ), recorded

    def asked(self, queries: int | None, *, seed: int) -> Int64[np.ndarray, " asked"]:
        """Return the positions of the queried originals, ascending: all, or a seeded sample.

        Args:
            queries: How many; where None, all of up to 100,000 images, and 2,000 of more.
            seed: Seed of the sample.

        Raises:
            PlanError: If `queries` is below 2.
        """
        if queries is not None and queries < 2:
            raise PlanError(f"queries is {queries}; expected 2 or more, e.g. {QUERIES}")
        wanted = (len(self) if len(self) <= ALL else QUERIES) if queries is None else queries
        if wanted >= len(self):
            return np.arange(len(self))
        return np.sort(np.random.default_rng((seed, 2)).choice(len(self), size=wanted, replace=False))

    def order_by_id(self) -> Int64[np.ndarray, " images"]:
        """Return positions of the originals in the order of their ids, the same in every listing."""
        return np.argsort(np.array(self.ids, dtype=str), kind="stable")

    def among(self, ids: Collection[str], *, draws: Collection[int] | None = None) -> "Pairs":
        """Return the originals with one of these ids, in the order of the listing.

        Args:
            ids: Image ids.
            draws: Draws of the views that are kept; all where None.
        """
        wanted = frozenset(ids)
        kept = np.array([at for at, name in enumerate(self.ids) if name in wanted], np.int64)
        return replace(
            self,
            rows=self.rows[kept],
            ids=tuple(self.ids[at] for at in kept.tolist()),
            units=self.units[kept],
            norms=self.norms[kept],
            read=self.read if draws is None else partial(_read_draws, self.read, tuple(draws)),
        )

    def sample(self, images: int | None, *, seed: int) -> "Pairs":
        """Return a seeded sample of the originals, in the order of the listing; all of them where None.

        Raises:
            PlanError: If the number of images is below 2.
        """
        if images is not None and images < 2:
            raise PlanError(f"images is {images}; expected 2 or more")
        if images is None or images >= len(self):
            return self
        kept = np.sort(np.random.default_rng(seed).choice(len(self), size=images, replace=False))
        return replace(
            self,
            rows=self.rows[kept],
            ids=tuple(self.ids[at] for at in kept.tolist()),
            units=self.units[kept],
            norms=self.norms[kept],
        )


def _read_draws(
    read: ReadViews, draws: Sequence[int], transform: str, /
) -> tuple[Int64[np.ndarray, " views"], Int64[np.ndarray, " views"], Float[np.ndarray, "views dim"]]:
    rows, drawn, values = read(transform)
    kept = np.isin(drawn, draws)
    return rows[kept], drawn[kept], values[kept]


def make_pairs(
    *,
    rows: Int64[np.ndarray, " images"],
    values: Float[np.ndarray, "images dim"],
    ids: Mapping[int, str],
    transforms: Sequence[str],
    read: ReadViews,
) -> Pairs:
    """Build pairs from originals with an angle, ordered by row; the first of equal images represents all.

    Args:
        rows: Row of each original in the listing.
        values: Raw embeddings.
        ids: Image id by row.
        transforms: Names, in order.
        read: Reads one transform's views.
    """
    order = np.argsort(rows, kind="stable")
    names = [ids[row] for row in rows[order].tolist()]
    first = np.sort(np.unique(np.array(names, dtype=str), return_index=True)[1]).astype(np.int64)
    units, norms = unit_vectors(values[order[first]])
    usable = ~np.isnan(norms)
    kept = first[usable]
    return Pairs(
        rows=rows[order[kept]],
        ids=tuple(names[at] for at in kept.tolist()),
        units=units[usable],
        norms=norms[usable],
        left_out=int((~usable).sum()),
        transforms=tuple(transforms),
        read=read,
    )


def unit_vectors(
    values: Float[np.ndarray, "views dim"],
) -> tuple[Float64[np.ndarray, "views dim"], Float64[np.ndarray, " views"]]:
    """Return vectors scaled to length 1 and their norms; both NaN for all-zero or non-finite vectors."""
    vectors = values.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    norms[~(np.isfinite(norms) & (norms > 0))] = np.nan
    vectors /= norms[:, None]
    return vectors, norms


def stack_views(pairs: Pairs, transform: str) -> Float64[np.ndarray, "images draws dim"]:
    """Return the unit embeddings of a transform's views; NaN where one is missing.

    Args:
        pairs: Originals and views.
        transform: Name of the transform in the plan.
    """
    draws, _ = pairs.views(transform)
    found = np.full((len(pairs), max(len(draws), 1), pairs.units.shape[1]), np.nan)
    for at, draw in enumerate(draws):
        found[draw.at, at] = draw.units
    return found


def average_draws(
    found: Sequence[tuple[Int64[np.ndarray, " _"], Mapping[str, Float64[np.ndarray, " _"]]]],
    *,
    images: int,
    names: Sequence[str],
) -> dict[str, Float64[np.ndarray, " images"]]:
    """Average the defined values of each image over its draws; NaN where there is none.

    Args:
        found: For each draw, the positions of its originals, and values by name.
        images: Number of originals.
        names: Names of the values.
    """
    totals = {name: np.zeros(images) for name in names}
    counts = {name: np.zeros(images) for name in names}
    for at, values in found:
        for name in names:
            defined = ~np.isnan(values[name])
            totals[name][at[defined]] += values[name][defined]
            counts[name][at[defined]] += 1
    return {
        name: np.divide(totals[name], counts[name], out=np.full(images, np.nan), where=counts[name] > 0)
        for name in names
    }


def format_sample_notes(asked: int, pairs: Pairs) -> tuple[str, ...]:
    """Return a note that only a sample of the images was queried; nothing if all were."""
    if asked == len(pairs):
        return ()
    return (f"views of a seeded sample of {asked:,} images are compared with all {len(pairs):,} originals",)
