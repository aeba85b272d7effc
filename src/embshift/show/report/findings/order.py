"""Sentences on the order of the transforms: extremes, certainty, disagreement between metrics."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embshift.analysis.shifts.ranks import Ranks
from embshift.core.types import Direction, MetricSpec
from embshift.core.words import count_noun
from embshift.show.report.facts.run import Facts, find_main_metric
from embshift.show.report.findings.left_out import name_left_out
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import (
    format_interval,
    format_percent,
    join_transforms,
    spell_metric,
)

__all__ = [
    "describe_certain_extremes",
    "describe_certain_order",
    "describe_common_images",
    "describe_extremes",
    "describe_missing_embedding",
]

_SHOWN = 5


def describe_missing_embedding(facts: Facts) -> str | None:
    """Say that no metric of the run compares embeddings; None if one does."""
    if find_main_metric(facts.metrics) is not None or not facts.metrics:
        return None
    return "No metric of this run compares embeddings, so the report cannot say how far they move."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mean:
    transform: str
    mean: float
    low: float
    high: float
    n: int


def _means(facts: Facts, spec: MetricSpec) -> list[_Mean]:
    """Return the transforms with a defined mean, from the furthest from the original to the closest."""
    at, found = facts.statistics.metrics.index(spec.name), facts.statistics.means
    means = [
        _Mean(
            transform=name,
            mean=float(found.mean[row, at]),
            low=float(found.low[row, at]),
            high=float(found.high[row, at]),
            n=int(found.n[row, at]),
        )
        for row, name in enumerate(facts.transforms)
        if not np.isnan(found.mean[row, at])
    ]
    return sorted(means, key=lambda one: one.mean, reverse=spec.direction is Direction.LOWER)


def describe_extremes(facts: Facts) -> str | None:
    """Say which transforms move the embedding most and least, with their means and intervals."""
    spec = find_main_metric(facts.metrics)
    if spec is None:
        return None
    means, metric = _means(facts, spec), spell_metric(spec.name)
    if not means:
        return f"No value of {metric} is defined, so the report cannot say how far embeddings move."
    first, last = means[0], means[-1]
    if len(means) == 1:
        return (
            f"Only {join_transforms([first.transform])} has a value: mean {metric} {_estimate(first, facts)}."
        )
    if first.mean == last.mean:
        return (
            f"All {len(means)} transforms move the embedding equally far:"
            f" mean {metric} {_estimate(first, facts)}."
        )
    known = [one.transform for one in means]
    without = [name for name in facts.transforms if name not in known]
    return (
        f"By {metric}, {_group(means, first)} the embedding most: mean {_estimate(first, facts)};"
        f" {_group(means, last)} it least: mean {_estimate(last, facts)}."
        f"{name_left_out(without, why=f'no value of {metric}')}"
        f" Without a shift, {metric} is {spell_number(spec.identity)}."
    )


def _group(means: Sequence[_Mean], one: _Mean) -> str:
    names = [other.transform for other in means if other.mean == one.mean]
    return f"{join_transforms(names)} {'moves' if len(names) == 1 else 'move'}"


def _estimate(one: _Mean, facts: Facts) -> str:
    on = "" if one.n == facts.measured else f" on {one.n:,} of {count_noun(facts.measured, 'image')}"
    return f"{spell_number(one.mean)}{on} ({format_interval(one.low, one.high, level=facts.level)})"


def describe_certain_extremes(facts: Facts) -> str | None:
    """Say whether the furthest and the closest transform are certain, by the main metric."""
    spec = find_main_metric(facts.metrics)
    if spec is None:
        return None
    ranks = facts.main
    if ranks is None:
        return None
    size = len(ranks.transforms)
    if size < 2:
        return None
    last = [one.transform for one in ranks.intervals if one.high == size]
    first = [one.transform for one in ranks.intervals if one.low == 1]
    furthest = _candidates(last, "furthest from the original", among=size)
    closest = _candidates(first, "closest to it", among=size)
    level = format_percent(ranks.level)
    return f"By {spell_metric(spec.name)}, {furthest}, and {closest} (simultaneous {level} rank intervals)."


def _candidates(names: Sequence[str], place: str, *, among: int) -> str:
    if len(names) == 1:
        return f"{join_transforms(names)} is certainly {place}"
    if len(names) == among:
        return f"any transform may be {place}"
    return f"{join_transforms(names, word='or')} may be {place}"


def describe_certain_order(facts: Facts) -> str | None:
    """Say how much of the order of transforms is certain, and which neighbours may be swapped."""
    ranks = _widest(facts)
    if ranks is None:
        return None
    size = len(ranks.transforms)
    pairs, certain = size * (size - 1) // 2, int(ranks.certain.sum())
    by = "the overall score" if ranks.by == "overall" else spell_metric(ranks.by)
    uncertain = [(one, other) for one, other, known in ranks.adjacent() if not known]
    start = (
        f"By {by}, the order is certain for {certain} of {count_noun(pairs, 'pair')} of transforms"
        f" (joint {format_percent(ranks.level)})."
    )
    if not uncertain:
        return start
    more = f"; and {len(uncertain) - _SHOWN} more" if len(uncertain) > _SHOWN else ""
    shown = "; ".join(join_transforms(pair) for pair in uncertain[:_SHOWN])
    return f"{start} Neighbours in the ranking whose order is uncertain: {shown}{more}."


def _widest(facts: Facts) -> Ranks | None:
    """Return the ranks by the overall score, or by the main metric if there is none."""
    found = (facts.statistics.ranks, facts.main)
    return next((ranks for ranks in found if ranks is not None and len(ranks.transforms) > 1), None)


def describe_common_images(facts: Facts) -> str | None:
    """Say how the ranking changes on the images that all transforms share; None where all are shared."""
    common = facts.common
    if common is None or len(common.ranks.transforms) < 2:
        return None
    names = list(common.fewer)
    lacking = f"{join_transforms(names)} {'lacks' if len(names) == 1 else 'lack'} values on some images"
    worst = max(common.fewer.values())
    before = {one.transform: one.rank for one in facts.statistics.ranks.intervals}
    moved = [one for one in common.ranks.ordered() if before.get(one.transform) != one.rank]
    start = (
        f"By the overall score, {lacking} (at most {worst:,}). On the {common.images:,} images that all"
        " transforms share, the ranking is"
    )
    if not moved:
        return f"{start} the same."
    changes = "; ".join(
        f"{join_transforms([one.transform])} moves from rank {before.get(one.transform, '–')} to {one.rank}"
        for one in moved[:_SHOWN]
    )
    more = f"; and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
    return f"{start} another one: {changes}{more}."
