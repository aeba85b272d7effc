"""Sentences on the order of the transforms: extremes, certainty, disagreement between metrics."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool

from embshift.analysis.shifts.ranks import Ranks
from embshift.core.types import Direction, MetricSpec
from embshift.core.words import count_noun
from embshift.show.report.facts.run import Facts, find_main_metric
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
    "describe_disagreement",
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


def _means(facts: Facts, spec: MetricSpec) -> list[_Mean]:
    """Return the transforms with a defined mean, from the furthest from the original to the closest."""
    at, found = facts.statistics.metrics.index(spec.name), facts.statistics.means
    means = [
        _Mean(
            transform=name,
            mean=float(found.mean[row, at]),
            low=float(found.low[row, at]),
            high=float(found.high[row, at]),
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
    return (
        f"By {metric}, {_group(means, first)} the embedding most: mean {_estimate(first, facts)};"
        f" {_group(means, last)} it least: mean {_estimate(last, facts)}."
        f" Without a shift, {metric} is {spell_number(spec.identity)}."
    )


def _group(means: Sequence[_Mean], one: _Mean) -> str:
    names = [other.transform for other in means if other.mean == one.mean]
    return f"{join_transforms(names)} {'moves' if len(names) == 1 else 'move'}"


def _estimate(one: _Mean, facts: Facts) -> str:
    return f"{spell_number(one.mean)} ({format_interval(one.low, one.high, level=facts.level)})"


def describe_certain_extremes(facts: Facts) -> str | None:
    """Say whether the furthest and the closest transform are certain, by the main metric."""
    spec = find_main_metric(facts.metrics)
    if spec is None:
        return None
    ranks = facts.orders[spec.name]
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
    spec = find_main_metric(facts.metrics)
    found = [facts.statistics.ranks, *([facts.orders[spec.name]] if spec else [])]
    return next((ranks for ranks in found if len(ranks.transforms) > 1), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opposed:
    """Two metrics compared: number of pairs of transforms certain under both, pairs in opposite order."""

    first: Ranks
    second: Ranks
    both: int
    pairs: tuple[tuple[str, str], ...]


def describe_disagreement(facts: Facts) -> str:
    """Say which metrics contradict each other about the order of transforms where both are certain."""
    if len(facts.metrics) < 2:
        return "With fewer than two metrics, the report cannot say whether metrics agree."
    if len(facts.transforms) < 2:
        return "With fewer than two transforms, the report cannot say whether metrics agree on the order."
    compared = [one for one in _compared(facts) if one.both]
    if not compared:
        return "No two metrics are both certain about any pair of transforms: agreement cannot be judged."
    opposed = [one for one in compared if one.pairs]
    if not opposed:
        return f"No two metrics contradict each other where both are certain ({_pairs(compared)} compared)."
    worst = max(opposed, key=lambda one: len(one.pairs))
    closer, further = worst.pairs[0]
    first, second = spell_metric(worst.first.by), spell_metric(worst.second.by)
    return (
        f"Metrics disagree about the order: {len(opposed)} of {_pairs(compared)} contradict each other where"
        f" both are certain (each at {format_percent(worst.first.level)}). {_capitalise(first)} and {second}"
        f" disagree most, on {len(worst.pairs)} of {count_noun(worst.both, 'pair')} of transforms: for"
        f" example, {join_transforms([closer])} is closer to the original than {join_transforms([further])}"
        f" by {first}, but further from it by {second}."
    )


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def _pairs(compared: Sequence[_Opposed]) -> str:
    return count_noun(len(compared), "pair") + " of metrics"


def _compared(facts: Facts) -> Iterator[_Opposed]:
    for one, other in combinations([facts.orders[spec.name] for spec in facts.metrics], 2):
        first, second = _spread(one, facts), _spread(other, facts)
        opposite = np.argwhere(first & second.T)
        yield _Opposed(
            first=one,
            second=other,
            both=int((first & (second | second.T)).sum()),
            pairs=tuple((facts.transforms[a], facts.transforms[b]) for a, b in opposite.tolist()),
        )


def _spread(ranks: Ranks, facts: Facts) -> Bool[np.ndarray, "transforms transforms"]:
    """Return `certain` over all transforms of the plan; one without a score is certain against none."""
    at = np.array([facts.transforms.index(name) for name in ranks.transforms], np.int64)
    found = np.zeros((len(facts.transforms), len(facts.transforms)), bool)
    found[np.ix_(at, at)] = ranks.certain
    return found
