"""The few images whose values are kept: the extremes of every column, a sample, and those asked for."""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64

from embshift.runs.image_ids import Hashes
from embshift.runs.values import ImageValues, join_values

__all__ = ["ENDS", "SAMPLE", "KeptImages", "choose_ends", "keep_images", "merge_kept", "take_images"]

ENDS = 4
"""Images kept at either end of each transform and metric."""

SAMPLE = 4096
"""Images of the sample: those with the least hashes of their ids."""


LAST = 2**64 - 1
"""The greatest possible hash."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptImages:
    """Images whose values are kept, in order of rows.

    Attributes:
        values: Their values.
        hashes: Hash of each image id.
    """

    values: ImageValues
    hashes: Hashes

    @property
    def last(self) -> int:
        """The greatest hash in the sample; the greatest of all hashes while there are too few images."""
        if len(self.hashes) < SAMPLE:
            return LAST
        return int(np.partition(self.hashes, SAMPLE - 1)[SAMPLE - 1])

    def sample(self) -> ImageValues:
        """Return the sample: every image is as likely to be in it, whatever its values and its row."""
        return take_images(self.values, np.sort(np.argsort(self.hashes, kind="stable")[:SAMPLE]))


def keep_images(
    values: ImageValues, hashes: Hashes, *, wanted: Collection[int] = (), last: int = LAST
) -> KeptImages:
    """Choose among images those that are kept.

    Args:
        values: Values of images.
        hashes: Hash of the id of each.
        wanted: Rows that are kept in any case.
        last: Greatest hash that an image of the sample may have, where that is known from other images.
    """
    flat = values.values.reshape(len(values.rows), math.prod(values.values.shape[1:]))
    kept = choose_ends(flat) | np.isin(values.rows, np.array(sorted(wanted), np.int64))
    sampled = np.flatnonzero(hashes <= np.uint64(last))
    kept[sampled[np.argsort(hashes[sampled], kind="stable")[:SAMPLE]]] = True
    at = np.flatnonzero(kept)
    return KeptImages(values=take_images(values, at), hashes=hashes[at])


def merge_kept(one: KeptImages, other: KeptImages, *, wanted: Collection[int] = ()) -> KeptImages:
    """Choose among the kept images of two parts those that are kept of both together."""
    hashes = np.concatenate([one.hashes, other.hashes])
    return keep_images(join_values([one.values, other.values]), hashes, wanted=wanted)


def take_images(values: ImageValues, at: Int64[np.ndarray, " taken"], /) -> ImageValues:
    """Return the values of some images, by their positions."""
    return replace(
        values,
        rows=values.rows[at],
        values=values.values[at],
        recorded=values.recorded[at],
        undefined=values.undefined[at],
    )


def choose_ends(values: Float64[np.ndarray, "images columns"], /) -> Bool[np.ndarray, " images"]:
    """Return which images are among the least or the greatest few of any column."""
    kept = np.zeros(len(values), bool)
    for sign in (1.0, -1.0):
        ordered = np.where(np.isnan(values), np.inf, sign * values)
        few = min(ENDS, len(values))
        if few < len(values):
            at = np.argpartition(ordered, few, axis=0)[:few]
        else:
            at = np.broadcast_to(np.arange(len(values))[:, None], values.shape)
        # Undefined values stand last; where a column has fewer values than its end takes, they are dropped.
        kept[at[~np.isnan(np.take_along_axis(values, at, axis=0))]] = True
    return kept
