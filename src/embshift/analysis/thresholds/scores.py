"""Scores: the cosines of views with their own original and with all others, counted without holding them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64, Int64

__all__ = [
    "CELLS",
    "OtherPairs",
    "Scores",
    "count_cells",
    "count_reached",
    "join_pairs",
    "join_scores",
    "make_scores",
    "to_cells",
]

CELLS = 1 << 21
"""Cells of width 2⁻²⁰ into which cosines from −1 to 1 are counted; cell 0 is for what is not counted."""

Cells: TypeAlias = Int64[np.ndarray, " cells"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OtherPairs:
    """Chosen pairs of a view and the original of another image, with their cosines.

    Attributes:
        cosines: In descending order.
        image: Position of the view's image.
        other: Position of the other image.
    """

    cosines: Float64[np.ndarray, " pairs"]
    image: Int64[np.ndarray, " pairs"]
    other: Int64[np.ndarray, " pairs"]

    def __len__(self) -> int:
        return len(self.cosines)

    def highest(self, count: int) -> "OtherPairs":
        """Return the pairs with the highest cosines."""
        kept = slice(0, count)
        return OtherPairs(cosines=self.cosines[kept], image=self.image[kept], other=self.other[kept])

    def trimmed(self, most: int) -> "OtherPairs":
        """Return at most a number of the highest pairs; equal cosines stay together, or none of them does."""
        if len(self) <= most:
            return self
        return self.highest(int(np.searchsorted(-self.cosines, -self.cosines[most], "left")))

    def down_to(self, least: float) -> "OtherPairs":
        """Return the pairs with at least a cosine."""
        return self.highest(int(np.searchsorted(-self.cosines, -least, "right")))


def join_pairs(parts: Sequence[OtherPairs]) -> OtherPairs:
    """Return all pairs in one descending order."""
    cosines = np.concatenate([part.cosines for part in parts])
    order = np.argsort(-cosines, kind="stable")
    return OtherPairs(
        cosines=cosines[order],
        image=np.concatenate([part.image for part in parts])[order],
        other=np.concatenate([part.other for part in parts])[order],
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """The cosines of a transform's views, or of several transforms'.

    Attributes:
        own: Cosine of each view with its own original, in descending order.
        owner: Position of its image.
        views: Number of views of each image.
        total: Number of pairs of a view and the original of another image.
        tail: Those of them with the highest cosines; all of them in a small run.
        cells: Number of pairs in each cell of cosine, those of the tail included; empty where the tail holds
            all pairs.
        left_out: Pairs of images that are not counted, in both directions: image, other.
        rows: For each image the number of (own, other) cosines with a view of the image in the other pair
            where the other pair is not below, ties half.
        columns: Likewise where the image is the other one.
    """

    own: Float64[np.ndarray, " views"]
    owner: Int64[np.ndarray, " views"]
    views: Int64[np.ndarray, " images"]
    total: int
    tail: OtherPairs
    cells: Cells
    left_out: Int64[np.ndarray, "pairs 2"]
    rows: Float64[np.ndarray, " images"]
    columns: Float64[np.ndarray, " images"]


def to_cells(cosines: Float64[np.ndarray, " pairs"]) -> Int64[np.ndarray, " pairs"]:
    """Return the cell of each cosine, from 1; neighbouring cells may be exchanged by rounding."""
    return np.clip(((cosines + 1.0) * (CELLS // 2)).astype(np.int64), 0, CELLS - 1) + 1


def make_scores(
    *, own: Float64[np.ndarray, " views"], owner: Int64[np.ndarray, " views"], images: int
) -> Scores:
    """Return scores of views that are compared with no other image yet."""
    order = np.argsort(-own, kind="stable")
    none = np.empty(0, np.int64)
    return Scores(
        own=own[order],
        owner=owner[order],
        views=np.bincount(owner, minlength=images),
        total=0,
        tail=OtherPairs(cosines=np.empty(0), image=none, other=none),
        cells=none,
        left_out=none.reshape(0, 2),
        rows=np.zeros(images),
        columns=np.zeros(images),
    )


def count_reached(
    own: Float64[np.ndarray, " views"], cosines: Float64[np.ndarray, " pairs"]
) -> Float64[np.ndarray, " pairs"]:
    """Return how many own cosines, given in descending order, are not above each other one; ties half."""
    rising = own[::-1]
    return 0.5 * (np.searchsorted(rising, cosines, "left") + np.searchsorted(rising, cosines, "right"))


def count_cells(pairs: OtherPairs) -> Cells:
    """Return the number of pairs in each cell."""
    return np.bincount(to_cells(pairs.cosines), minlength=CELLS + 1)


def join_scores(scores: Scores, pairs: OtherPairs) -> Scores:
    """Return scores with the pairs that were left out; the tail stays complete down to where it ended."""
    complete = len(scores.tail) == scores.total
    least = -np.inf if complete else np.inf if not len(scores.tail) else float(scores.tail.cosines[-1])
    found, images = count_reached(scores.own, pairs.cosines), len(scores.views)
    return replace(
        scores,
        total=scores.total + len(pairs),
        tail=join_pairs([scores.tail, pairs.down_to(least)]),
        cells=scores.cells if complete else scores.cells + count_cells(pairs),
        left_out=np.empty((0, 2), np.int64),
        rows=scores.rows + np.bincount(pairs.image, found, minlength=images),
        columns=scores.columns + np.bincount(pairs.other, found, minlength=images),
    )
