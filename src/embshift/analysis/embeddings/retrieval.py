"""Does a view still find its original: ranks, margins and neighbours among all pictures of the run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.embeddings.catalogue import RECALLS, RETRIEVAL
from embshift.analysis.embeddings.faiss_search import CHECKED, PLACES, ApproximateSearch, shared_share
from embshift.analysis.embeddings.measures import Measured, check_sampling, mean_of_images
from embshift.analysis.embeddings.neighbours import Gallery, Queries, Scan, scan
from embshift.analysis.embeddings.pairs import DrawViews, Pairs, average_draws, format_sample_notes
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.core.errors import PlanError, UnknownNameError

__all__ = ["SEARCHES", "neighbour_overlap", "retrieve"]

SEARCHES = ("exact", "approximate")
"""How views are compared with originals: with every one, or through an index of faiss."""

NEIGHBOURS = 10
"""Neighbours that are compared where no number is given."""

Find: TypeAlias = Callable[..., Scan]
"""From queries, and where each one's own picture stands, to their places in the gallery."""

DrawValues: TypeAlias = Mapping[str, Float64[np.ndarray, " views"]]

_OVERLOOKED = "overlooked"

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
    search: str = "exact",
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Measured:
    """How well views find their originals among all pictures.

    The rank of a view is 1 + the number of other pictures at least as near to it as its original: ties count
    against it, and equal pictures stand in the gallery once. The bootstrap resamples queries and keeps the
    gallery, so the intervals say nothing of another gallery.

    The exact search spares no query a picture. The approximate one may miss some: no rank is greater and no
    margin less than the true one, a rank beyond 100 counts as 101, and what it misses is measured on 500
    pictures and noted.

    Args:
        pairs: Originals and views.
        neighbours: Size of the neighbourhoods that are compared.
        queries: Pictures whose views are sought, a seeded sample; the gallery is all of them. Where None all
            of up to 100,000, and 2,000 of more; in an approximate search always all.
        search: One of `SEARCHES`; "approximate" needs faiss.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the sample and of the resamples.

    Raises:
        PlanError: If an option is out of range.
        UnknownNameError: If there is no such search.
        MissingExtraError: If faiss is wanted and not installed.
    """
    check_sampling(resamples=resamples, level=level)
    if neighbours < 1:
        raise PlanError(f"neighbours is {neighbours}; expected 1 or more, e.g. {NEIGHBOURS}")
    if search not in SEARCHES:
        raise UnknownNameError("search", search, SEARCHES)
    asked = (
        np.arange(len(pairs)) if search != "exact" and queries is None else pairs.asked(queries, seed=seed)
    )
    find, check = _finder(search, pairs, asked=asked, neighbours=neighbours, seed=seed)
    originals = find(pairs.units[asked], own=asked).nearest
    values, recorded = list[dict[str, Float64[np.ndarray, " images"]]](), np.zeros((0, len(asked)), bool)
    names, missed = [one.name for one in RETRIEVAL], list[Mapping[str, float]]()
    for transform in pairs.transforms:
        draws, seen = pairs.views(transform, among=asked)
        found = list[tuple[Int64[np.ndarray, " views"], DrawValues]]()
        for draw in draws:
            place = np.searchsorted(asked, draw.at)
            if isinstance(find, ApproximateSearch):
                find.tune(draw.units, own=draw.at, seed=seed)
            scanned = find(draw.units, own=draw.at)
            found.append((place, _draw(scanned, originals[place], gallery=len(pairs), wanted=neighbours)))
            missed += [] if check is None else [_missed(draw, scanned, found[-1][1], check, pairs)]
        values.append(average_draws(found, images=len(asked), names=names))
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
            *format_sample_notes(len(asked), pairs),
            f"{_ASKED}: {len(pairs):,} pictures; chance puts the original first once in {len(pairs):,}",
            f"where all are found, up to 3 in {len(asked):,} others may not be (rule of three)",
            f"knn_jaccard compares the {neighbours} nearest other pictures",
            *(_told(find, missed, check) if isinstance(find, ApproximateSearch) and check else ()),
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Check:
    """Pictures whose views are asked exactly too.

    Attributes:
        at: Their positions, ascending.
        nearest: Their true neighbours.
    """

    at: Int64[np.ndarray, " checked"]
    nearest: Int64[np.ndarray, "checked neighbours"]


def _finder(
    search: str, pairs: Pairs, *, asked: Int64[np.ndarray, " asked"], neighbours: int, seed: int
) -> tuple[Find, _Check | None]:
    """What compares views with the gallery; and, where it may miss some, what it is checked by."""
    if search == "exact" or len(pairs) < 2:
        return partial(_scanned, gallery=pairs.units, neighbours=neighbours), None
    count = min(CHECKED, len(asked))
    at = np.sort(np.random.default_rng((seed, 4)).choice(asked, size=count, replace=False))
    true = scan(pairs.units[at], pairs.units, own=at, neighbours=neighbours).nearest
    return ApproximateSearch(pairs.units, neighbours=neighbours, seed=seed), _Check(at=at, nearest=true)


def _scanned(
    queries: Queries, /, *, own: Int64[np.ndarray, " queries"], gallery: Gallery, neighbours: int
) -> Scan:
    return scan(queries, gallery, own=own, neighbours=neighbours)


def _missed(
    draw: DrawViews, scanned: Scan, found: DrawValues, check: _Check, pairs: Pairs
) -> dict[str, float]:
    """How far means of some views are from the exact ones, and the share that was overlooked."""
    rows = np.flatnonzero(np.isin(draw.at, check.at))
    if not len(rows):
        return {}
    own, wanted = draw.at[rows], check.nearest.shape[1]
    exact = scan(draw.units[rows], pairs.units, own=own, neighbours=wanted)
    nearest = check.nearest[np.searchsorted(check.at, own)]
    true = _draw(exact, nearest, gallery=len(pairs), wanted=wanted)
    apart = {name: abs(float(np.mean(found[name][rows]) - np.mean(values))) for name, values in true.items()}
    return apart | {_OVERLOOKED: 1 - shared_share(exact.nearest, scanned.nearest[rows])}


def _told(search: ApproximateSearch, missed: Sequence[Mapping[str, float]], check: _Check) -> tuple[str, ...]:
    """What the reader must know of an approximate search."""
    told = [one for one in missed if one]
    errors = {name: max(one[name] for one in told) for name in (told[0] if told else ())}
    overlooked = errors.pop(_OVERLOOKED, float("nan"))
    shown = ", ".join(f"{name} {error:.2g}" for name, error in errors.items() if error == error)
    return (
        f"approximate, by an index of {search.lists:,} lists: no rank is greater and no margin less than the"
        f" true one; a rank beyond {PLACES} counts as {PLACES + 1}",
        f"on {len(check.at)} pictures asked exactly too: at most {100 * overlooked:.2g} % of a transform's"
        " nearest pictures were overlooked, and no mean is further from the exact one than:"
        f" {shown or 'unknown'}",
    )
