"""Does a view still find its original: ranks, margins and neighbours among all pictures of the run."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64, Int64

from embshift.errors import PlanError
from embshift.summaries.measures import Measured, check_sampling, mean_of_images
from embshift.summaries.neighbours import Scan, scan
from embshift.summaries.pairs import Pairs, over_draws, sampled_note
from embshift.summaries.resampling import LEVEL, RESAMPLES
from embshift.summaries.stated import RECALLS, RETRIEVAL

__all__ = ["neighbour_overlap", "retrieve"]

NEIGHBOURS = 10
"""Neighbours that are compared where no number is given."""

_ASKED = "queries are views, the gallery is the originals"


def neighbour_overlap(
    one: Int64[np.ndarray, "images neighbours"], other: Int64[np.ndarray, "images neighbours"], /
) -> Float64[np.ndarray, " images"]:
    """Jaccard index of neighbours, row by row: |A ∩ B| / |A ∪ B|, from 0 to 1; NaN without any."""
    size = one.shape[1]
    if not size:
        return np.full(len(one), np.nan)
    shared = np.array([len(np.intersect1d(a, b)) for a, b in zip(one, other, strict=True)], np.float64)
    return shared / (2 * size - shared)


def retrieve(
    pairs: Pairs,
    *,
    neighbours: int = NEIGHBOURS,
    queries: int | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Measured:
    """How well views find their originals among all pictures.

    The rank of a view is 1 + the number of other pictures at least as near to it as its original: ties count
    against it, and equal pictures stand in the gallery once. The bootstrap resamples queries and keeps the
    gallery, so the intervals say nothing of another gallery. Exact: no query is spared a picture.

    Args:
        pairs: Originals and views.
        neighbours: Size of the neighbourhoods that are compared.
        queries: Pictures whose views are sought, a seeded sample; the gallery is all of them. Where None all
            of up to 100,000, and 2,000 of more.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the sample and of the resamples.

    Raises:
        PlanError: If an option is out of range.
    """
    check_sampling(resamples=resamples, level=level)
    if neighbours < 1:
        raise PlanError(f"neighbours is {neighbours}; wanted 1 or more, e.g. {NEIGHBOURS}")
    asked = pairs.asked(queries, seed=seed)
    originals = scan(pairs.units[asked], pairs.units, own=asked, neighbours=neighbours).nearest
    values, recorded = list[dict[str, Float64[np.ndarray, " images"]]](), np.zeros((0, len(asked)), bool)
    names = [one.name for one in RETRIEVAL]
    for transform in pairs.transforms:
        draws, seen = pairs.views(transform, among=asked)
        found = list[tuple[Int64[np.ndarray, " views"], Mapping[str, Float64[np.ndarray, " views"]]]]()
        for draw in draws:
            scanned = scan(draw.units, pairs.units, own=draw.at, neighbours=neighbours)
            place = np.searchsorted(asked, draw.at)
            found.append((place, _draw(scanned, originals[place], gallery=len(pairs), wanted=neighbours)))
        values.append(over_draws(found, images=len(asked), names=names))
        recorded = np.concatenate([recorded, seen[None, asked]])
    estimates, undefined = mean_of_images(
        values, measures=RETRIEVAL, recorded=recorded, resamples=resamples, level=level, seed=seed
    )
    return Measured(
        name="retrieval",
        measures=RETRIEVAL,
        transforms=pairs.transforms,
        estimates=estimates,
        undefined=undefined,
        images=len(pairs),
        left_out=pairs.left_out,
        notes=(
            *sampled_note(len(asked), pairs),
            f"{_ASKED}: {len(pairs):,} pictures; chance puts the original first once in {len(pairs):,}",
            f"where all are found, up to 3 in {len(asked):,} others may not be (rule of three)",
            f"knn_jaccard compares the {neighbours} nearest other pictures",
        ),
        level=level,
    )


def _draw(
    scanned: Scan, originals: Int64[np.ndarray, "views neighbours"], *, gallery: int, wanted: int
) -> dict[str, Float64[np.ndarray, " views"]]:
    """Values of one draw; NaN where the gallery is so small that any answer would be right."""
    none = np.full(len(scanned.rank), np.nan)
    recalls = {f"recall_at_{k}": (scanned.rank <= k).astype(float) if k < gallery else none for k in RECALLS}
    overlap = neighbour_overlap(originals, scanned.nearest) if wanted < gallery - 1 else none
    return recalls | {
        "mrr": 1.0 / scanned.rank if gallery > 1 else none,
        "margin": scanned.own - scanned.best,
        "knn_jaccard": overlap,
    }
