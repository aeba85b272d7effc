"""The ranking of transforms at equal damage, from cross-fitted shifts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.analysis.sampling.shares import share_intervals
from embshift.analysis.shifts.ranks import Ranks, rank_transforms
from embshift.analysis.strength.cross_fit import CrossFit, Measured, cross_fit, interval_of, split_images
from embshift.analysis.strength.matched import Matched, MatchedGroup, MatchedRow, UnmatchedRow
from embshift.analysis.strength.solved import Solved
from embshift.core.errors import RunError

__all__ = ["LevelValues", "rank_matched"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LevelValues:
    """What a run measured at one level of its plan.

    Attributes:
        shift: Mean over draws of d = 1 − cosine of each image; NaN where undefined.
        recall: Share of its draws whose original is the nearest of all originals.
        draws: Number of views.
    """

    shift: Float64[np.ndarray, " images"]
    recall: Float64[np.ndarray, " images"]
    draws: int


def rank_matched(
    values: Mapping[str, LevelValues],
    solved: Sequence[Solved],
    /,
    *,
    solved_on: Sequence[str],
    ids: Sequence[str],
    unmatched: Sequence[UnmatchedRow] = (),
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Matched:
    """Rank transforms at equal damage by their mean shift, cross-fitted over several splits of the images.

    Args:
        values: What the run measured, by name in its plan.
        solved: Strengths around each amount of damage, with the damage of each image.
        solved_on: Ids of the images behind that damage.
        ids: Ids of the images behind `values`.
        unmatched: The transforms with the parameters of the preset "paper".
        resamples: Number of resamples of the images.
        level: Coverage of each interval; that of the ranks is joint.
        seed: Seed of splits and resamples.

    Raises:
        RunError: If the run lacks a strength that was solved.
    """
    amounts = list(dict.fromkeys((each.kind, each.target) for each in solved))
    place = {name: at for at, name in enumerate(ids)}
    known = [(place[name], at) for at, name in enumerate(solved_on) if name in place]
    context = _Context(
        values=values,
        images=len(ids),
        rows=np.array([row for row, _ in known], np.int64),
        columns=np.array([at for _, at in known], np.int64),
        halves=split_images(len(ids), seed=seed),
        resamples=resamples,
        level=level,
        seed=seed,
    )
    return Matched(
        groups=tuple(_group(kind, target, solved, context) for kind, target in amounts),
        solved_on=len(known),
        gallery=len(ids),
        splits=len(context.halves),
        level=level,
        unmatched=tuple(sorted(unmatched, key=lambda row: _descending(row.shift))),
    )


def _descending(shift: float) -> float:
    """Return a sort key that puts the greatest shift first, and undefined ones last."""
    return math.inf if math.isnan(shift) else -shift


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Context:
    """What all groups share: values, splits and resamples; rows of images, columns of their damage."""

    values: Mapping[str, LevelValues]
    images: int
    rows: np.ndarray
    columns: np.ndarray
    halves: Bool[np.ndarray, "splits images"]
    resamples: int
    level: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fitted:
    """One transform of a group, cross-fitted."""

    solved: Solved
    shift: CrossFit
    damage: CrossFit
    recall: CrossFit
    draws: int


def _group(kind: str, target: float, solved: Sequence[Solved], context: _Context) -> MatchedGroup:
    own = [each for each in solved if (each.kind, each.target) == (kind, target)]
    fitted = [_fit(each, context) for each in own if each.strength is not None]
    ranks = _rank(fitted, context)
    rows = [_row(each, ranks, level=context.level) for each in fitted]
    return MatchedGroup(
        kind=kind,
        target=target,
        rows=tuple(sorted(rows, key=lambda row: _descending(row.shift))),
        out_of_reach=tuple(each for each in own if each.strength is None),
    )


def _fit(solved: Solved, context: _Context) -> _Fitted:
    missing = [each.name for each in solved.levels if each.name not in context.values]
    if missing or not solved.levels:
        name = missing[0] if missing else f"{solved.transform}_{solved.label}"
        raise RunError(f"match.json names {name}, but the run lacks it; match again into a new folder")
    damage = np.full((context.images, len(solved.levels)), np.nan)
    damage[context.rows] = np.array([each.damage for each in solved.levels]).T[context.columns]
    found = [context.values[each.name] for each in solved.levels]

    def fit(values: Sequence[Float64[np.ndarray, " images"]]) -> CrossFit:
        table = Measured(damage=damage, values=np.stack(values, axis=1), target=solved.target)
        return cross_fit(table, halves=context.halves, resamples=context.resamples, seed=context.seed)

    return _Fitted(
        solved=solved,
        shift=fit([each.shift for each in found]),
        damage=fit(list(damage.T)),
        recall=fit([each.recall for each in found]),
        # Between two strengths the views of both count.
        draws=max(each.draws for each in found) * min(len(found), 2),
    )


def _rank(fitted: Sequence[_Fitted], context: _Context) -> Ranks | None:
    """Rank the transforms of a group, the one that shifts most first; None for an empty group."""
    if not fitted:
        return None
    return rank_transforms(
        np.array([each.shift.mean for each in fitted]),
        resampled=np.stack([each.shift.resampled for each in fitted], axis=1),
        pulls=np.stack([each.shift.pulls for each in fitted], axis=1),
        known=np.array([(~np.isnan(each.shift.by_image)).sum() > 1 for each in fitted]),
        transforms=[each.solved.transform for each in fitted],
        by="shift",
        seed=context.seed,
        higher=True,
        level=context.level,
    )


def _row(fitted: _Fitted, ranks: Ranks | None, *, level: float) -> MatchedRow:
    solved = fitted.solved
    shift, damage = interval_of(fitted.shift, level=level), interval_of(fitted.damage, level=level)
    recall = share_intervals(fitted.recall.by_image[:, None], draws=np.array([fitted.draws]), level=level)
    best, worst, above = _plausible(solved.transform, ranks)
    return MatchedRow(
        transform=solved.transform,
        family=solved.family,
        strength=_strength_at(solved, fitted.shift.place),
        unit=solved.unit,
        damage=fitted.damage.mean,
        damage_low=_first(damage.low),
        damage_high=_first(damage.high),
        off_target=not abs(fitted.damage.mean - solved.target) <= solved.tolerance,
        shift=fitted.shift.mean,
        low=_first(shift.low),
        high=_first(shift.high),
        recall=_first(recall.mean),
        recall_low=_first(recall.low),
        recall_high=_first(recall.high),
        best=best,
        worst=worst,
        above=above,
        n=int((~np.isnan(fitted.shift.by_image)).sum()),
    )


def _first(ends: Float64[np.ndarray, " one"]) -> float:
    return float(ends[0])


def _plausible(name: str, ranks: Ranks | None) -> tuple[int, int, tuple[str, ...]]:
    """Return the plausible ranks of a transform, and those that it certainly shifts more than."""
    if ranks is None or name not in ranks.transforms:
        return 1, 1 if ranks is None else max(len(ranks.transforms), 1), ()
    at = ranks.transforms.index(name)
    above = tuple(other for place, other in enumerate(ranks.transforms) if ranks.certain[at, place])
    return ranks.intervals[at].low, ranks.intervals[at].high, above


def _strength_at(solved: Solved, place: float) -> float:
    if math.isnan(place):
        return math.nan
    strengths = [each.strength for each in solved.levels]
    return float(np.interp(place, np.arange(len(strengths)), strengths))
