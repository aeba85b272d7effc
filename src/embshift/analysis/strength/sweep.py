"""Shift against severity: curves, the area below them, where half of the views are no longer found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from jaxtyping import Float64

from embshift.analysis.embeddings.neighbours import half_squared_distances, scan
from embshift.analysis.embeddings.pairs import Pairs, average_draws
from embshift.analysis.sampling.bootstrap import (
    LEVEL,
    RESAMPLES,
    Intervals,
    bca,
    influence,
    means,
    resampled_means,
)
from embshift.core.errors import RunError

__all__ = ["Curve", "Sweep", "SweptLevel", "compute_sweep", "swept_levels"]

SHIFT, RECALL = "shift", "recall"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptLevel:
    """One transform of the plan that has a strength.

    Attributes:
        name: Its name in the plan.
        transform: The registered transform.
        severity: Level 1-5; None where a strength was asked for.
        strength: In the transform's unit.
        unit: Its unit; "1" for a pure number.
        meaning: What the strength is.
        family: The transform's family.
        zero: The strength that leaves the picture as it is; None where there is none.
        rising: Whether a greater strength does more.
    """

    name: str
    transform: str
    severity: int | None
    strength: float
    unit: str
    meaning: str
    family: str
    zero: float | None
    rising: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """One transform over its levels, from mild to severe.

    Attributes:
        transform: The registered transform.
        family: Its family.
        axis: What `at` holds: "severity" or "strength".
        unit: Unit of the strengths.
        meaning: What the strength is.
        names: Names in the plan.
        at: Severity or strength of each level.
        strengths: Strength of each level.
        shift: Mean over images of d = 1 − cosine, (levels,), a pure number from 0 to 2.
        recall: Share of the views whose original is the nearest of all originals, (levels,).
        area: Mean height of the curve of shifts, (1,), a pure number: the area below it over its width.
        s50: Least severity or strength at which recall falls below a half; NaN where none is known.
        censored: ">" where recall stays at a half or more to the last level, "<" where it is below at the
            first and there is none before, else empty.
        monotonicity: Mean over images of Spearman's correlation of shift and level, from −1 to 1; NaN for
            fewer than three levels.
        monotone_images: Images with such a correlation: those with every level, not all alike.
        left: Where the curve starts at the untouched picture (no shift, every original found); None where
            its axis has no such place.
    """

    transform: str
    family: str
    axis: str
    unit: str
    meaning: str
    names: tuple[str, ...]
    at: tuple[float, ...]
    strengths: tuple[float, ...]
    shift: Intervals
    recall: Intervals
    area: Intervals
    s50: float
    censored: str
    monotonicity: float
    monotone_images: int
    left: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """All curves of a run.

    Attributes:
        curves: One for each transform, in the order of the plan.
        gallery: Different originals among which a view's own is sought.
        level: Coverage of each interval.
        resamples: Resamples of the images.
        seed: Their seed.
    """

    curves: tuple[Curve, ...]
    gallery: int
    level: float
    resamples: int
    seed: int


def swept_levels(info: Mapping[str, Any]) -> tuple[SweptLevel, ...]:
    """The transforms of a run's plan that have a severity or a strength, from its ``run.json``."""
    stated = info.get("strengths", {})
    return tuple(
        SweptLevel(
            name=each["name"],
            transform=each["target"],
            severity=each["severity"],
            strength=each["strength"],
            **stated[each["target"]],
        )
        for each in info["plan"]["transforms"]
        if each.get("strength") is not None and each.get("target") in stated
    )


def compute_sweep(
    pairs: Pairs,
    levels: Sequence[SweptLevel],
    /,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Sweep:
    """Curves of shift and of recall over the levels of every transform.

    Draws are averaged for each image first. Curves start at the untouched picture (shift 0, recall 1) where
    the axis has one. Intervals are of a bootstrap over images that keeps the gallery.

    Args:
        pairs: Originals and views.
        levels: The levels of the plan; those of one transform make a curve, where some have a severity and
            others a strength, over the strength.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the resamples.

    Raises:
        RunError: If there is no level.
    """
    if not levels:
        raise RunError(
            "the run holds no transform with a severity or strength; measure some with 'embshift sweep',"
            " or e.g. --transform blur:1 --transform blur:3"
        )
    order = list(dict.fromkeys(each.transform for each in levels))
    by_transform = sorted(levels, key=lambda each: order.index(each.transform))
    grouped = [list(group) for _, group in groupby(by_transform, key=lambda each: each.transform)]
    taken = [_take(pairs, group) for group in grouped]
    # One bootstrap for all: the same resamples, counted once.
    found = _intervals(
        np.column_stack([each.columns for each in taken]), resamples=resamples, level=level, seed=seed
    )
    starts = np.cumsum([0, *(each.columns.shape[1] for each in taken)]).tolist()
    return Sweep(
        curves=tuple(
            _curve(each, _part(found, slice(start, start + each.columns.shape[1])))
            for each, start in zip(taken, starts, strict=False)
        ),
        gallery=len(pairs),
        level=level,
        resamples=resamples,
        seed=seed,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Taken:
    """One transform's levels in order; columns are shifts, recalls and the area of every image."""

    levels: Sequence[SweptLevel]
    axis: str
    at: tuple[float, ...]
    left: float | None
    columns: Float64[np.ndarray, "images columns"]


def _take(pairs: Pairs, levels: Sequence[SweptLevel]) -> _Taken:
    axis = "severity" if all(each.severity is not None for each in levels) else "strength"
    levels = sorted(levels, key=_severity if axis == "severity" else _harm)
    at = tuple(float(getattr(each, axis)) for each in levels)
    left = 0.0 if axis == "severity" else levels[0].zero
    left = None if left in at else left
    values = [_values(pairs, each.name) for each in levels]
    shifts = np.stack([each[SHIFT] for each in values], axis=1)
    recalls = np.stack([each[RECALL] for each in values], axis=1)
    columns = np.column_stack([shifts, recalls, _areas(shifts, at=at, left=left)])
    return _Taken(levels=levels, axis=axis, at=at, left=left, columns=columns)


def _curve(taken: _Taken, found: Intervals) -> Curve:
    first, count = taken.levels[0], len(taken.levels)
    recall = _part(found, slice(count, 2 * count))
    s50, censored = half_found(recall.mean, at=taken.at, left=taken.left)
    monotonicity, images = mean_spearman(taken.columns[:, :count])
    return Curve(
        transform=first.transform,
        family=first.family,
        axis=taken.axis,
        unit=first.unit,
        meaning=first.meaning,
        names=tuple(each.name for each in taken.levels),
        at=taken.at,
        strengths=tuple(each.strength for each in taken.levels),
        shift=_part(found, slice(0, count)),
        recall=recall,
        area=_part(found, slice(2 * count, 2 * count + 1)),
        s50=s50,
        censored=censored,
        monotonicity=monotonicity,
        monotone_images=images,
        left=taken.left,
    )


def _severity(level: SweptLevel) -> float:
    return level.severity or 0


def _harm(level: SweptLevel) -> float:
    return level.strength if level.rising else -level.strength


def _values(pairs: Pairs, name: str) -> dict[str, Float64[np.ndarray, " images"]]:
    """Shift and recall of every image; NaN where it has no view."""
    found = list[Any]()
    for draw in pairs.views(name)[0]:
        shift = half_squared_distances(draw.units, pairs.units[draw.at])
        ranks = scan(draw.units, pairs.units, own=draw.at).rank
        recall = (ranks == 1).astype(float) if len(pairs) > 1 else np.full(len(ranks), np.nan)
        found.append((draw.at, {SHIFT: shift, RECALL: recall}))
    return average_draws(found, images=len(pairs), names=[SHIFT, RECALL])


def _intervals(values: Float64[np.ndarray, "images columns"], **options: Any) -> Intervals:
    level = options.pop("level")
    return bca(
        resampled_means(values, **options),
        mean=means(values),
        pulls=influence(values),
        n=(~np.isnan(values)).sum(axis=0),
        level=level,
    )


def _part(found: Intervals, columns: slice) -> Intervals:
    return Intervals(
        mean=found.mean[columns],
        low=found.low[columns],
        high=found.high[columns],
        n=found.n[columns],
        plain=found.plain[columns],
    )


def _areas(
    shifts: Float64[np.ndarray, "images levels"], *, at: Sequence[float], left: float | None
) -> Float64[np.ndarray, " images"]:
    """Mean height of each image's curve, by trapezia; NaN for a single point."""
    places, heights = np.array(at), shifts
    if left is not None:
        places, heights = np.append(left, places), np.column_stack([np.zeros(len(shifts)), shifts])
    if len(places) < 2:
        return np.full(len(shifts), np.nan)
    return np.trapezoid(heights, places, axis=1) / (places[-1] - places[0])


def half_found(
    recall: Float64[np.ndarray, " levels"], *, at: Sequence[float], left: float | None
) -> tuple[float, str]:
    """Where recall first falls below a half, by linear interpolation; and how it is censored.

    Args:
        recall: Mean recall of each level.
        at: Severity or strength of each level, from mild to severe.
        left: Where recall is 1 by definition; None where there is no such place.

    Returns:
        The place, NaN where it is not known, and ">", "<" or "".
    """
    points = [] if left is None else [(left, 1.0)]
    points += [
        (place, value) for place, value in zip(at, recall.tolist(), strict=True) if not np.isnan(value)
    ]
    if not points or np.isnan(recall).all():
        return float("nan"), ""
    if points[0][1] < 0.5:
        return float("nan"), "<"
    for (one, before), (other, after) in pairwise(points):
        if after < 0.5:
            return one + (before - 0.5) / (before - after) * (other - one), ""
    return float("nan"), ">"


def mean_spearman(shifts: Float64[np.ndarray, "images levels"], /) -> tuple[float, int]:
    """Mean over images of Spearman's correlation of shift and level; and of how many images.

    Images without one of the levels, and those whose shifts are all alike, have none.
    """
    from scipy.stats import rankdata  # half a second to import, and seldom asked for

    kept = shifts[~np.isnan(shifts).any(axis=1)]
    if shifts.shape[1] < 3 or not len(kept):
        return float("nan"), 0
    ranks = rankdata(kept, axis=1)
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    steps = np.arange(shifts.shape[1]) - (shifts.shape[1] - 1) / 2
    lengths = np.sqrt((ranks**2).sum(axis=1) * (steps**2).sum())
    known = lengths > 0
    if not known.any():
        return float("nan"), 0
    return float((ranks[known] @ steps / lengths[known]).mean()), int(known.sum())
