"""Comparing views with the originals of other images: block by block in float32, the highest in float64."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64

from embshift.analysis.embeddings.neighbours import compute_products, screening_error
from embshift.analysis.thresholds.scores import (
    CELLS,
    OtherPairs,
    count_cells,
    count_reached,
    join_pairs,
    to_cells,
)

__all__ = ["WHOLE", "Compared", "compare_others", "merge_compared"]

WHOLE = 1 << 18
"""Pairs up to which all are held, in float64: beyond that only the highest are."""

_AT_ONCE = 1 << 22
"""Products held at once: 16 MiB as float32, whatever the number of images."""

_COARSE = 6
"""Cells of 2⁻¹⁴ for the variance of the AUC alone: a table of them stays in a core's cache."""

_NOT_COUNTED = -3.0
"""In place of the product of a pair that does not count."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """What is known of the pairs of views and other originals.

    Attributes:
        total: Their number.
        tail: Those with the highest cosines, complete down to its last; all of them in a small run.
        cells: Number of pairs in each cell of cosine; empty where the tail holds all pairs.
        rows: For each list of own cosines, the number of them that the pairs of an image's views reach, ties
            half.
        columns: Likewise of the pairs in which the image is the other one.
    """

    total: int
    tail: OtherPairs
    cells: Int64[np.ndarray, " cells"]
    rows: Float64[np.ndarray, "lists images"]
    columns: Float64[np.ndarray, "lists images"]


def compare_others(
    views: Float64[np.ndarray, "views dim"],
    gallery: Float64[np.ndarray, "images dim"],
    /,
    *,
    image: Int64[np.ndarray, " views"],
    near: Mapping[int, Int64[np.ndarray, " _"]],
    keep: int,
    own: Sequence[Float64[np.ndarray, " _"]],
) -> Compared:
    """Compare every view with the original of every other image.

    Args:
        views: Unit vectors.
        gallery: Unit vectors of the originals.
        image: Position of each view's own original.
        near: By position, the originals that do not count as other ones.
        keep: Number of the highest cosines that are kept; all where there are few pairs.
        own: Lists of own cosines, each in descending order, that the pairs are compared with.
    """
    if len(views) * len(gallery) <= WHOLE:
        return _compare_all(views, gallery, image=image, near=near, own=own)
    return _compare_blocks(views, gallery, image=image, near=near, keep=max(keep, WHOLE), own=own)


def _compare_all(
    views: Float64[np.ndarray, "views dim"],
    gallery: Float64[np.ndarray, "images dim"],
    *,
    image: Int64[np.ndarray, " views"],
    near: Mapping[int, Int64[np.ndarray, " _"]],
    own: Sequence[Float64[np.ndarray, " _"]],
) -> Compared:
    counts = np.ones((len(views), len(gallery)), bool)
    counts[np.arange(len(views)), image] = False
    for row, at in enumerate(image.tolist()):
        counts[row, near.get(at, np.empty(0, np.int64))] = False
    view, other = np.nonzero(counts)
    cosines = compute_products(views, gallery, row=view, picture=other)
    order = np.argsort(-cosines, kind="stable")
    tail = OtherPairs(cosines=cosines[order], image=image[view[order]], other=other[order])
    reached = [count_reached(each, tail.cosines) for each in own]
    images = len(gallery)
    return Compared(
        total=len(tail),
        tail=tail,
        cells=np.empty(0, np.int64),
        rows=_sum_each(tail.image, reached, images=images),
        columns=_sum_each(tail.other, reached, images=images),
    )


def _sum_each(
    at: Int64[np.ndarray, " pairs"], values: Sequence[Float64[np.ndarray, " pairs"]], *, images: int
) -> Float64[np.ndarray, "lists images"]:
    sums = [np.bincount(at, each, minlength=images).astype(np.float64) for each in values]
    return np.stack(sums) if sums else np.empty((0, images))


class _Highest:
    """The highest products so far; what lies below all of them is dropped."""

    def __init__(self, keep: int) -> None:
        self._keep, self.least = keep, np.float32(-2.0)
        self._parts, self._held = list[tuple[np.ndarray, np.ndarray, np.ndarray]](), 0

    def add(self, products: Float32[np.ndarray, "block images"], *, start: int) -> None:
        """Add the products of a block of views."""
        flat = np.flatnonzero(products >= self.least)
        row, other = np.divmod(flat, products.shape[1])
        self._parts.append((products.ravel()[flat], row + start, other))
        self._held += len(flat)
        if self._held > 2 * self._keep:
            self._prune()

    def _prune(self) -> None:
        values, row, other = self.take()
        self.least = np.partition(values, len(values) - self._keep)[len(values) - self._keep]
        kept = values >= self.least
        self._parts = [(values[kept], row[kept], other[kept])]
        self._held = int(kept.sum())

    def take(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return product, view and other original of what is held."""
        values, row, other = zip(*self._parts, strict=True)
        return np.concatenate(values), np.concatenate(row), np.concatenate(other)


def _compare_blocks(
    views: Float64[np.ndarray, "views dim"],
    gallery: Float64[np.ndarray, "images dim"],
    *,
    image: Int64[np.ndarray, " views"],
    near: Mapping[int, Int64[np.ndarray, " _"]],
    keep: int,
    own: Sequence[Float64[np.ndarray, " _"]],
) -> Compared:
    images, highest = len(gallery), _Highest(keep)
    cells = np.zeros(CELLS + 1, np.int64)
    rows, columns = np.zeros((len(own), images)), np.zeros((len(own), images))
    reached = [_tabulate_reached(each) for each in own]
    for start, products in _blocks(views, gallery, image=image, near=near):
        highest.add(products, start=start)
        mine = image[start : start + len(products)]
        at = _find_cells(products)
        cells += np.bincount(at.ravel(), minlength=CELLS + 1)
        for place, table in enumerate(reached):
            found = table[at >> _COARSE]
            rows[place] += np.bincount(mine, found.sum(axis=1, dtype=np.float64), minlength=images)
            columns[place] += found.sum(axis=0, dtype=np.float64)
    cells[0] = 0
    doubt = screening_error(gallery.shape[1])
    tail = _decide(highest, views, gallery, image=image, keep=keep, doubt=doubt)
    return Compared(total=int(cells.sum()), tail=tail, cells=cells, rows=rows, columns=columns)


def _blocks(
    views: Float64[np.ndarray, "views dim"],
    gallery: Float64[np.ndarray, "images dim"],
    *,
    image: Int64[np.ndarray, " views"],
    near: Mapping[int, Int64[np.ndarray, " _"]],
) -> Iterator[tuple[int, Float32[np.ndarray, "block images"]]]:
    screened = gallery.astype(np.float32).T
    block = max(1, _AT_ONCE // len(gallery))
    for start in range(0, len(views), block):
        mine = image[start : start + block]
        products = np.asarray(views[start : start + block].astype(np.float32) @ screened)
        products[np.arange(len(mine)), mine] = _NOT_COUNTED
        for row, at in enumerate(mine.tolist() if near else ()):
            if at in near:
                products[row, near[at]] = _NOT_COUNTED
        yield start, products


def _find_cells(products: Float32[np.ndarray, "block images"]) -> Int32[np.ndarray, "block images"]:
    found = ((products + np.float32(1)) * np.float32(CELLS // 2)).astype(np.int32)
    apart = np.flatnonzero(found < -CELLS // 4)
    np.clip(found, 0, CELLS - 1, out=found)
    found += 1
    found.ravel()[apart] = 0
    return found


def _tabulate_reached(own: Float64[np.ndarray, " own"]) -> Float32[np.ndarray, " cells"]:
    """Return for each coarse cell how many own cosines lie below it, and half of those in it."""
    counts = np.bincount(to_cells(own) >> _COARSE, minlength=(CELLS >> _COARSE) + 1).astype(np.float64)
    found = np.cumsum(counts) - 0.5 * counts
    return found.astype(np.float32)


def _decide(
    highest: _Highest,
    views: Float64[np.ndarray, "views dim"],
    gallery: Float64[np.ndarray, "images dim"],
    *,
    image: Int64[np.ndarray, " views"],
    keep: int,
    doubt: float,
) -> OtherPairs:
    """Compute the highest products in float64, and keep those that are certainly the highest."""
    _, view, other = highest.take()
    cosines = compute_products(views, gallery, row=view, picture=other)
    order = np.argsort(-cosines, kind="stable")
    cosines = cosines[order]
    found = OtherPairs(cosines=cosines, image=image[view[order]], other=other[order])
    return found.down_to(float(highest.least) + doubt).trimmed(keep)


def merge_compared(one: Compared, two: Compared, /, *, keep: int) -> Compared:
    """Return what is known of the pairs of both; the tail is complete down to its last.

    Args:
        one: Some pairs.
        two: Others.
        keep: Most pairs of the tail.
    """
    both = join_pairs([one.tail, two.tail])
    ends = [
        float(part.tail.cosines[-1]) if len(part.tail) else np.inf for part in (one, two) if len(part.cells)
    ]
    tail = both.down_to(max(ends, default=-np.inf)).trimmed(keep)
    total = one.total + two.total
    cells = np.empty(0, np.int64)
    if len(tail) < total:
        cells = sum(part.cells if len(part.cells) else count_cells(part.tail) for part in (one, two))
    return Compared(
        total=total,
        tail=tail,
        cells=np.asarray(cells),
        rows=one.rows + two.rows,
        columns=one.columns + two.columns,
    )
