"""Measuring thresholds: views against their own and all other originals, transform by transform."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from embshift.analysis.embeddings.measures import check_sampling
from embshift.analysis.embeddings.neighbours import compute_products
from embshift.analysis.embeddings.pairs import Pairs, format_sample_notes
from embshift.analysis.sampling.bootstrap import LEVEL
from embshift.analysis.thresholds.estimates import FEWEST_IMAGES, FEWEST_PAIRS, PRECISION, estimate_row
from embshift.analysis.thresholds.near_duplicates import NearDuplicates, group_pairs, no_near_duplicates
from embshift.analysis.thresholds.others import WHOLE, Compared, compare_others, merge_compared
from embshift.analysis.thresholds.result import (
    ALL_TOGETHER,
    COUNTED,
    LEFT_OUT,
    NearPair,
    ThresholdRow,
    Thresholds,
)
from embshift.analysis.thresholds.scores import OtherPairs, Scores, join_pairs, join_scores, make_scores
from embshift.core.words import count_noun

__all__ = ["RESAMPLES", "measure_thresholds"]

RESAMPLES = 500
"""Default number of resamples: they give variances alone, which need fewer than quantiles do."""

SHOWN = 20
"""Pairs of near-duplicates that are named."""

_TAIL, _TIMES = 1.5e-3, 20
"""Share of the other pairs, and how many times as many as there are views, that are held."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Views:
    """All views of a transform, of every draw."""

    at: Int64[np.ndarray, " views"]
    units: Float64[np.ndarray, "views dim"]
    own: Float64[np.ndarray, " views"]


def measure_thresholds(
    pairs: Pairs,
    *,
    near: NearDuplicates | None = None,
    names: Sequence[str] = (),
    queries: int | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Thresholds:
    """Measure which cosine tells views of an image from other images, for each transform and for all.

    A view and its own original are a pair that shows the same image; a view and the original of another image
    are a pair that does not. Memory holds one block of pairs, and the highest of them.

    Args:
        pairs: Originals and views.
        near: Near-duplicates among the originals; not known where None.
        names: Name of each original, for near-duplicates; ids where empty.
        queries: Size of a seeded sample of images whose views are compared with all originals; where None,
            all of up to 100,000 images, and 2,000 of more.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the sample and of the resamples.

    Raises:
        PlanError: If an option is out of range.
    """
    check_sampling(resamples=resamples, level=level)
    near = no_near_duplicates(images=len(pairs)) if near is None else near
    asked = pairs.asked(queries, seed=seed)
    rows = [
        estimate_row(
            scores, transform=name, near_duplicates=treated, resamples=resamples, level=level, seed=seed
        )
        for name, treated, scores in _score(pairs, asked, near)
    ]
    names = names or pairs.ids
    return Thresholds(
        rows=tuple(rows),
        near_pairs=_name_near(near, names),
        near_groups=tuple(tuple(names[at] for at in group) for group in group_pairs(near.pairs)),
        near_count=len(near.pairs) if near.compared + near.plain else None,
        near_images=len(np.unique(near.pairs)),
        precision=PRECISION,
        images=len(pairs),
        queries=len(asked),
        left_out=pairs.left_out,
        notes=(*format_sample_notes(len(asked), pairs), *_write_notes(rows, near)),
        level=level,
        resamples=resamples,
    )


def _score(
    pairs: Pairs, asked: Int64[np.ndarray, " asked"], near: NearDuplicates
) -> Iterator[tuple[str, str, Scores]]:
    """Yield the scores of each transform, then of all together; twice where there are near-duplicates."""
    own = [_read_views(pairs, name, asked) for name in pairs.transforms]
    values, owners = [one.own for one in own], [one.at for one in own]
    own = [(np.sort(one)[::-1], len(one)) for one in values]
    every = make_scores(own=_join(values), owner=_join(owners), images=len(pairs))
    count, partners = sum(len(one) for one in values), _list_partners(near)
    keep = _keep(count, images=len(pairs))
    together, extra = list[Compared](), list[OtherPairs]()  # the first holds one, or none yet
    for place, name in enumerate(pairs.transforms):
        views = _read_views(pairs, name, asked)
        scores = make_scores(own=values[place], owner=owners[place], images=len(pairs))
        found = compare_others(
            views.units, pairs.units, image=views.at, near=partners, keep=keep, own=[scores.own, every.own]
        )
        left = _compare_near(pairs, views, partners)
        extra.append(left)
        short = replace(found, tail=found.tail.trimmed(_keep(len(views.at), images=len(pairs))))
        yield from _both(name, _with_others(scores, short, near, row=0), left)
        together[:] = [merge_compared(together[0], found, keep=keep) if together else found]
    if len(pairs.transforms) > 1:
        yield from _both(ALL_TOGETHER, _with_others(every, together[0], near, row=1), join_pairs(extra))


def _keep(views: int, *, images: int) -> int:
    return max(WHOLE, _TIMES * views, int(_TAIL * views * images))


def _join(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.empty(0)


def _read_views(pairs: Pairs, transform: str, asked: Int64[np.ndarray, " asked"]) -> _Views:
    draws, _ = pairs.views(transform, among=asked)
    at = np.concatenate([np.empty(0, np.int64), *(draw.at for draw in draws)])
    units = np.concatenate([np.empty((0, pairs.units.shape[1])), *(draw.units for draw in draws)])
    own = compute_products(units, pairs.units, row=np.arange(len(at)), picture=at)
    return _Views(at=at, units=units, own=own)


def _with_others(scores: Scores, found: Compared, near: NearDuplicates, *, row: int) -> Scores:
    return replace(
        scores,
        total=found.total,
        tail=found.tail,
        cells=found.cells,
        left_out=np.concatenate([near.pairs, near.pairs[:, ::-1]]),
        rows=found.rows[row],
        columns=found.columns[row],
    )


def _both(name: str, scores: Scores, left: OtherPairs) -> Iterator[tuple[str, str, Scores]]:
    """Yield scores with the pairs of near-duplicates counted, and without them where there are any."""
    yield name, COUNTED, join_scores(scores, left)
    if len(left):
        yield name, LEFT_OUT, scores


def _list_partners(near: NearDuplicates) -> dict[int, Int64[np.ndarray, " _"]]:
    both = np.concatenate([near.pairs, near.pairs[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    images, starts = np.unique(both[:, 0], return_index=True)
    return dict(zip(images.tolist(), np.split(both[:, 1], starts[1:]), strict=True)) if len(images) else {}


def _compare_near(pairs: Pairs, views: _Views, partners: dict[int, Int64[np.ndarray, " _"]]) -> OtherPairs:
    """Return the pairs of views with near-duplicates of their own original."""
    rows = [row for row, at in enumerate(views.at.tolist()) if at in partners]
    others = [partners[int(views.at[row])] for row in rows]
    row = np.repeat(np.array(rows, np.int64), [len(one) for one in others])
    other = np.concatenate([np.empty(0, np.int64), *others])
    cosines = compute_products(views.units, pairs.units, row=row, picture=other)
    return join_pairs([OtherPairs(cosines=cosines, image=views.at[row], other=other)])


def _name_near(near: NearDuplicates, names: Sequence[str]) -> tuple[NearPair, ...]:
    order = np.argsort(near.distances, kind="stable")[:SHOWN].tolist()
    return tuple(
        NearPair(
            first=names[int(near.pairs[at, 0])],
            second=names[int(near.pairs[at, 1])],
            bits=int(near.distances[at]),
        )
        for at in order
    )


def _write_notes(rows: Sequence[ThresholdRow], near: NearDuplicates) -> list[str]:
    notes = [
        "µAP, precision and recall at a precision depend on the number of originals; AUC and rates do not"
    ]
    if near.unknown:
        notes.append(
            f"near-duplicates are not known for {count_noun(near.unknown, 'image')}: measured with an earlier"
            " version"
        )
    if near.plain:
        notes.append(
            f"not searched for near-duplicates, for lack of detail: {count_noun(near.plain, 'image')}"
        )
    refused = [
        columns[0].asked
        for columns in zip(*(row.at_rates for row in rows), strict=True)
        if all(one.refused for one in columns)
    ]
    if refused:
        most = max(rows, key=lambda row: row.pairs)
        why = next(one.refused for one in most.at_rates if one.asked == refused[0])
        needed = f"{FEWEST_PAIRS} false pairs of {FEWEST_IMAGES} images"
        notes.append(
            f"no false-positive rate of {refused[0]:g} or less is given: it needs {needed} or more; of"
            f" {most.transform}, {why}"
        )
    return notes
