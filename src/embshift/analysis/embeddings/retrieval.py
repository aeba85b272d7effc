"""Retrieval: how well views find their originals among all images of the run."""

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
from embshift.core.words import count_noun

__all__ = ["SEARCHES", "neighbour_overlap", "retrieve"]

SEARCHES = ("exact", "approximate")
"""How views are compared with originals: with every one, or through a faiss index."""

NEIGHBOURS = 10
"""Number of neighbours compared by default."""

Find: TypeAlias = Callable[..., Scan]
"""Takes queries and the positions of their own images; returns their ranks and neighbours in the gallery."""

DrawValues: TypeAlias = Mapping[str, Float64[np.ndarray, " views"]]

_OVERLOOKED = "overlooked"

_ASKED = "queries are views, the gallery is the originals"


def neighbour_overlap(
    one: Int64[np.ndarray, "images neighbours"], other: Int64[np.ndarray, "images neighbours"], /
) -> Float64[np.ndarray, " images"]:
    """Return the Jaccard index of neighbours, row by row: |A ∩ B| / |A ∪ B|, from 0 to 1; NaN without any."""
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
    """Measure how well views find their originals among all images.

    The rank of a view is 1 + the number of other images at least as near to it as its original: ties count
    against it, and equal images are in the gallery once. Recall has Wilson intervals. All intervals are over
    queries and keep the gallery, so they do not cover its choice.

    The exact search compares each query with every image. The approximate search may miss some: no rank is
    greater and no margin less than the true one, and a rank beyond 100 counts as 101. What it misses is
    measured on 500 images and given in the notes.

    Args:
        pairs: Originals and views.
        neighbours: Number of neighbours that are compared.
        queries: Size of a seeded sample of images whose views are searched for; the gallery is all images.
            Where None, all of up to 100,000 images, and 2,000 of more; in an approximate search always all.
        search: One of `SEARCHES`; "approximate" needs faiss.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the sample and of the resamples.

    Raises:
        PlanError: If an option is out of range.
        UnknownNameError: If the search is unknown.
        MissingExtraError: If faiss is needed and not installed.
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
    names, missed, views = [one.name for one in RETRIEVAL], list[Mapping[str, float]](), list[int]()
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
        views.append(sum(len(draw.at) for draw in draws))
    estimates, undefined = mean_of_images(
        values,
        measures=RETRIEVAL,
        recorded=recorded,
        draws=views,
        resamples=resamples,
        level=level,
        seed=seed,
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
            f"{_ASKED}: {count_noun(len(pairs), 'image')}; by chance, the original is first once in"
            f" {len(pairs):,}",
            f"knn_jaccard compares the {neighbours} nearest other images",
            *(_told(find, missed, check) if isinstance(find, ApproximateSearch) and check else ()),
        ),
        level=level,
    )


def _draw(
    scanned: Scan, originals: Int64[np.ndarray, "views neighbours"], *, gallery: int, wanted: int
) -> dict[str, Float64[np.ndarray, " views"]]:
    """Compute the values of one draw; NaN if the gallery is so small that any answer would be right."""
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
    """Images whose views are also searched exactly.

    Attributes:
        at: Their positions, ascending.
        nearest: Their true neighbours.
    """

    at: Int64[np.ndarray, " checked"]
    nearest: Int64[np.ndarray, "checked neighbours"]


def _finder(
    search: str, pairs: Pairs, *, asked: Int64[np.ndarray, " asked"], neighbours: int, seed: int
) -> tuple[Find, _Check | None]:
    """Return the search, and what an approximate search is checked against."""
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
    """Return the error of the means on checked views, and the share of neighbours overlooked."""
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
    """Return the notes on an approximate search."""
    checked = [one for one in missed if one]
    errors = {name: max(one[name] for one in checked) for name in (checked[0] if checked else ())}
    overlooked = errors.pop(_OVERLOOKED, float("nan"))
    shown = ", ".join(f"{name} {error:.2g}" for name, error in errors.items() if error == error)
    return (
        f"approximate search, index of {search.lists:,} lists: no rank is greater and no margin less"
        f" than the true one; a rank beyond {PLACES} counts as {PLACES + 1}",
        f"checked exactly on {len(check.at)} images: at most {100 * overlooked:.2g} % of a transform's "
        " nearest images were overlooked, and means differ from the exact ones by at most:"
        f" {shown or 'unknown'}",
    )
