"""Two embeddings of the same originals: how far each image moved, and whether an index can be kept."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float64

from embshift.analysis.embeddings.neighbours import half_squared_distances, scan
from embshift.analysis.embeddings.own_ranks import open_gallery, rank_own
from embshift.analysis.embeddings.retrieval import NEIGHBOURS, neighbour_overlap

__all__ = [
    "ONE_SPACE",
    "Relation",
    "SpaceShift",
    "measure_space_shift",
    "relate_encoders",
]

ONE_SPACE = 0.5
"""Recall@1 of one encoder's originals in the index of the other, from which on they share a space."""

Relation: TypeAlias = Literal["same weights", "one space", "different encoders"]
"""same weights: only library, device or precision differ. one space: other weights, as of a fine-tune, whose
embeddings lie where those of the first do. different encoders: neither."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SpaceShift:
    """What a change of the encoder does to the embeddings of unchanged images.

    Attributes:
        shifts: Cosine shift ½‖z − z′‖² of each image between the two embeddings.
        overlaps: Jaccard index of its nearest neighbours among the first embeddings and among the second; NaN
            where there are no more images than neighbours.
        ranks: Rank of its first embedding in the index of the first, asked by its second; ties count against.
        neighbours: Number of neighbours compared.
    """

    shifts: Float64[np.ndarray, " images"]
    overlaps: Float64[np.ndarray, " images"]
    ranks: Float64[np.ndarray, " images"]
    neighbours: int

    @property
    def same_image_shift(self) -> float:
        """Greatest shift of an image: every image is measured, so it has no sampling interval."""
        return float(self.shifts.max()) if len(self.shifts) else float("nan")

    @property
    def neighbour_overlap(self) -> float:
        """Mean overlap of neighbours, from 0 to 1."""
        known = self.overlaps[~np.isnan(self.overlaps)]
        return float(known.mean()) if len(known) else float("nan")

    @property
    def old_index_recall(self) -> float:
        """Share of images that the second encoder finds first in the index of the first."""
        return float((self.ranks == 1).mean()) if len(self.ranks) > 1 else float("nan")


def measure_space_shift(
    first: Float64[np.ndarray, "images dim"],
    second: Float64[np.ndarray, "images dim"],
    /,
    *,
    neighbours: int = NEIGHBOURS,
) -> SpaceShift:
    """Compare two embeddings of the same originals.

    Args:
        first: Unit embeddings by one encoder.
        second: Unit embeddings of the same images, in the same order, by the other.
        neighbours: Number of neighbours that are compared.
    """
    own = np.arange(len(first))
    wanted = neighbours if neighbours < len(first) - 1 else 0
    ours = scan(first, first, own=own, neighbours=wanted).nearest
    theirs = scan(second, second, own=own, neighbours=wanted).nearest
    return SpaceShift(
        shifts=half_squared_distances(first, second),
        overlaps=neighbour_overlap(ours, theirs),
        ranks=rank_own(second, open_gallery(first), own=own).astype(np.float64),
        neighbours=neighbours,
    )


def relate_encoders(first: str | None, second: str | None, /, *, shift: SpaceShift | None) -> Relation:
    """Return how two encoders are related.

    Args:
        first: Digest of the weights of one; None where it is unknown.
        second: Digest of the other's.
        shift: What lies between their embeddings; None where these differ in length.
    """
    if first is not None and first == second:
        return "same weights"
    return "one space" if shift is not None and shift.old_index_recall >= ONE_SPACE else "different encoders"
