"""The sentence below a view: how far it moved, and whether it still finds its original."""

import math

from embshift.show.text.words import shorten

__all__ = ["write_sentence"]


def write_sentence(relative: float, *, cosine: float, rank: int, of: int, overtaker: str = "") -> str:
    """Return one sentence on a shift.

    Args:
        relative: The shift over the original's mean distance to other images; NaN without others.
        cosine: Cosine of view and original.
        rank: Rank of the original among the images nearest to the view.
        of: Number of images.
        overtaker: Name of the image that is nearest to the view, where that is not the original.
    """
    if of < 2 or math.isnan(relative):
        return f"Cosine {cosine:.3f} with the original; there is no other image to compare with."
    moved = f"{relative:.2g} of the distance to another image"
    if relative >= 1:
        moved = f"{relative:.2f} times the distance to another image"
    if rank == 1:
        return f"{moved}; the original is still first of {of:,}."
    return f"{moved}; {shorten(overtaker)} is nearer than the original, which is {_ordinal(rank)} of {of:,}."


def _ordinal(rank: int) -> str:
    ending = "th" if rank % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(rank % 10, "th")
    return f"{rank:,}{ending}"
