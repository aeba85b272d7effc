"""Near-duplicates among images, by perceptual hashes of their pixels: never by the encoder that is judged."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8

__all__ = ["LIMIT", "NearDuplicates", "find_near_pairs", "group_pairs", "no_near_duplicates"]

LIMIT = 16
"""Most bits of 256 in which the hashes of near-duplicates differ; measured in docs/thresholds.md."""

_PAIRS_AT_ONCE = 1 << 22
"""Pairs compared at once: 32 MiB, whatever the number of images."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NearDuplicates:
    """Pairs of originals that show the same, though their files differ.

    Attributes:
        pairs: Positions of the two images among the originals, the smaller one first.
        distances: Bits in which their hashes differ, from 0 to `LIMIT`.
        compared: Number of originals that were compared.
        plain: Number of originals without detail, which have no hash.
        unknown: Number of originals measured with an earlier version, which made no hash.
    """

    pairs: Int64[np.ndarray, "pairs 2"]
    distances: Int64[np.ndarray, " pairs"]
    compared: int
    plain: int
    unknown: int


def no_near_duplicates(*, images: int) -> NearDuplicates:
    """Return what is known of images without hashes: nothing."""
    none = np.empty(0, np.int64)
    return NearDuplicates(pairs=none.reshape(0, 2), distances=none, compared=0, plain=0, unknown=images)


def find_near_pairs(
    bits: UInt8[np.ndarray, "images width"], /, *, limit: int = LIMIT
) -> tuple[Int64[np.ndarray, "pairs 2"], Int64[np.ndarray, " pairs"]]:
    """Find all pairs of hashes that differ in few bits: exactly, block by block.

    Args:
        bits: Hashes, a multiple of 8 bytes each.
        limit: Most bits that may differ.

    Returns:
        Positions, the smaller one first, in ascending order; and the bits that differ.
    """
    words = np.ascontiguousarray(bits).view(np.uint64)
    first, second = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    block = max(1, _PAIRS_AT_ONCE // max(len(words), 1))
    for start in range(0, len(words), block):
        part = words[start : start + block, 0]
        # A quarter of the bits rules out nearly all pairs.
        near = np.bitwise_count(part[:, None] ^ words[None, start:, 0]) <= limit
        row, column = np.nonzero(near)
        ahead = column > row
        first.append(row[ahead] + start)
        second.append(column[ahead] + start)
    pairs = np.stack([np.concatenate(first), np.concatenate(second)], axis=1)
    distances = np.bitwise_count(words[pairs[:, 0]] ^ words[pairs[:, 1]]).sum(axis=1, dtype=np.int64)
    kept = distances <= limit
    return pairs[kept], distances[kept]


def group_pairs(pairs: Int64[np.ndarray, "pairs 2"], /) -> tuple[tuple[int, ...], ...]:
    """Join pairs that share an image into groups, the largest first, each in ascending order."""
    group = dict[int, list[int]]()
    for one, other in pairs.tolist():
        first, second = group.setdefault(one, [one]), group.setdefault(other, [other])
        if first is not second:
            first += second
            group.update((member, first) for member in second)
    found = {id(each): tuple(sorted(each)) for each in group.values()}
    return tuple(sorted(found.values(), key=lambda each: (-len(each), each)))
