"""Curves of shift and recall against severity or strength, with their areas and half-recall levels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

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
from embshift.analysis.sampling.shares import replace_shares, share_intervals
from embshift.analysis.strength.curve_numbers import (
    find_half_recall,
    find_half_recall_interval,
    mean_areas,
    rank_correlations,
)
from embshift.analysis.strength.levels import SweptLevel
from embshift.analysis.strength.rank_matched import LevelValues
from embshift.core.errors import RunError
from embshift.core.records import Record, list_fields, to_pandas, write_html

__all__ = ["Curve", "Sweep", "compute_sweep", "measure_levels"]

SHIFT, RECALL = "shift", "recall"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """The curve of one transform over its levels, from mild to severe.

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
        recall: Share of the views whose original is the nearest of all originals, (levels,), with Wilson's
            interval.
        area: Mean height of the curve of shifts, (1,), a pure number: the area below it divided by its width.
        s50: Least severity or strength at which recall falls below a half; NaN if unknown.
        censored: ">" if recall stays at a half or more to the last level; "<" if it is below a half at the
            first level and there is no level before; else empty.
        s50_low: Milder end of the interval of s50; −∞ where it lies before the first level.
        s50_high: More severe end; ∞ where it lies beyond the last level.
        monotonicity: Mean over images of Spearman's correlation of shift and level, (1,), from −1 to 1; NaN
            for fewer than three levels. Its n counts images with every level, not all alike.
        left: Where the curve starts at the unchanged image (no shift, every original found); None if its axis
            has no such place.
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
    s50_low: float
    s50_high: float
    monotonicity: Intervals
    left: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """The curves of a run.

    Attributes:
        curves: One for each transform, in the order of the plan.
        gallery: Number of different originals among which each view's own is searched for.
        level: Coverage of each interval.
        resamples: Number of resamples of the images.
        seed: Their seed.
    """

    curves: tuple[Curve, ...]
    gallery: int
    level: float
    resamples: int
    seed: int

    def records(self) -> list[Record]:
        """Return one row for each level of each transform; what holds for a whole curve is repeated."""
        return [
            list_fields(curve, ("transform", "family"))
            | {"name": name, "axis": curve.axis, "level": curve.at[at], "strength": curve.strengths[at]}
            | {"unit": curve.unit}
            | curve.shift.record(at, names=("shift",))
            | curve.recall.record(at, names=("recall",))
            | curve.area.record(0, names=("area",))
            | list_fields(curve, ("s50", "censored", "s50_low", "s50_high"))
            | curve.monotonicity.record(0, names=("monotonicity",))
            for curve in self.curves
            for at, name in enumerate(curve.names)
        ]

    to_pandas = to_pandas
    _repr_html_ = write_html


def compute_sweep(
    pairs: Pairs,
    levels: Sequence[SweptLevel],
    /,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> Sweep:
    """Compute curves of shift and recall over the levels of every transform.

    Draws are averaged for each image first. Curves start at the unchanged image (shift 0, recall 1) if the
    axis has such a place. Intervals are from a bootstrap over images that keeps the gallery.

    Args:
        pairs: Originals and views.
        levels: The levels of the plan; those of one transform form a curve, over the strength if some levels
            have a severity and others a strength.
        resamples: Number of resamples of the images.
        level: Coverage of the intervals.
        seed: Seed of the resamples.

    Raises:
        RunError: If there is no level.
    """
    if not levels:
        raise RunError(
            "the run has no transform with a severity or strength; use 'embshift sweep', or for example"
            " --transform blur:1 --transform blur:3"
        )
    order = list(dict.fromkeys(each.transform for each in levels))
    by_transform = sorted(levels, key=lambda each: order.index(each.transform))
    grouped = [list(group) for _, group in groupby(by_transform, key=lambda each: each.transform)]
    taken = [_take(pairs, group) for group in grouped]
    # All curves share one bootstrap: the same resamples, counted once.
    found = _intervals(
        np.column_stack([each.columns for each in taken]), resamples=resamples, level=level, seed=seed
    )
    starts = np.cumsum([0, *(each.columns.shape[1] for each in taken)]).tolist()
    return Sweep(
        curves=tuple(
            _curve(each, _part(found, slice(start, start + each.columns.shape[1])), level=level)
            for each, start in zip(taken, starts, strict=False)
        ),
        gallery=len(pairs),
        level=level,
        resamples=resamples,
        seed=seed,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Taken:
    """The levels of one transform in order; columns: shifts, recalls, area and monotonicity of every image.

    `draws` is the number of views of each level.
    """

    levels: Sequence[SweptLevel]
    axis: str
    at: tuple[float, ...]
    left: float | None
    columns: Float64[np.ndarray, "images columns"]
    draws: Int64[np.ndarray, " levels"]


def _take(pairs: Pairs, levels: Sequence[SweptLevel]) -> _Taken:
    axis = "severity" if all(each.severity is not None for each in levels) else "strength"
    levels = sorted(levels, key=_severity if axis == "severity" else _harm)
    at = tuple(float(getattr(each, axis)) for each in levels)
    left = 0.0 if axis == "severity" else levels[0].zero
    left = None if left in at else left
    values, draws = zip(*(_values(pairs, each.name) for each in levels), strict=True)
    shifts = np.stack([each[SHIFT] for each in values], axis=1)
    recalls = np.stack([each[RECALL] for each in values], axis=1)
    numbers = mean_areas(shifts, at=at, left=left), rank_correlations(shifts)
    columns = np.column_stack([shifts, recalls, *numbers])
    return _Taken(levels=levels, axis=axis, at=at, left=left, columns=columns, draws=np.array(draws))


def _curve(taken: _Taken, found: Intervals, *, level: float) -> Curve:
    first, count = taken.levels[0], len(taken.levels)
    recall = share_intervals(taken.columns[:, count : 2 * count], draws=taken.draws, level=level)
    s50, censored = find_half_recall(recall.mean, at=taken.at, left=taken.left)
    low, high = find_half_recall_interval(
        taken.columns[:, count : 2 * count],
        at=taken.at,
        left=taken.left,
        draws=taken.draws.tolist(),
        level=level,
    )
    monotonicity = replace_shares(
        _part(found, slice(2 * count + 1, 2 * count + 2)),
        taken.columns[:, 2 * count + 1 :],
        bounds=[(-1.0, 1.0)],
        proportions=[False],
        crowded=[True],
        draws=[0],
        level=level,
    )
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
        s50_low=low,
        s50_high=high,
        monotonicity=monotonicity,
        left=taken.left,
    )


def _severity(level: SweptLevel) -> float:
    return level.severity or 0


def _harm(level: SweptLevel) -> float:
    return level.strength if level.rising else -level.strength


def _values(pairs: Pairs, name: str) -> tuple[dict[str, Float64[np.ndarray, " images"]], int]:
    """Compute shift and recall of every image, NaN where it has no view; and the number of views."""
    found, draws = list[Any](), pairs.views(name)[0]
    for draw in draws:
        shift = half_squared_distances(draw.units, pairs.units[draw.at])
        ranks = scan(draw.units, pairs.units, own=draw.at).rank
        recall = (ranks == 1).astype(float) if len(pairs) > 1 else np.full(len(ranks), np.nan)
        found.append((draw.at, {SHIFT: shift, RECALL: recall}))
    averaged = average_draws(found, images=len(pairs), names=[SHIFT, RECALL])
    return averaged, sum(len(draw.at) for draw in draws)


def measure_levels(pairs: Pairs, names: Sequence[str], /) -> dict[str, LevelValues]:
    """Return shift and recall of every image at the named levels of a plan; unknown names are left out."""
    known = [name for name in dict.fromkeys(names) if name in pairs.transforms]
    found = {name: _values(pairs, name) for name in known}
    return {
        name: LevelValues(shift=values[SHIFT], recall=values[RECALL], draws=draws)
        for name, (values, draws) in found.items()
    }


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
