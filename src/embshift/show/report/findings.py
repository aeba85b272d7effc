"""What was found, in sentences. Each is a function of the statistics, and says no more than they carry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool

from embshift.analysis.shifts.ranks import Ranks
from embshift.core.types import Direction, MetricSpec
from embshift.show.report.facts import Facts, main_metric
from embshift.show.report.text import counted, interval_text, named, number, percent, spoken

__all__ = ["certain_ends", "certain_order", "disagreement", "most_and_least", "no_embedding"]

_SHOWN = 5


def no_embedding(facts: Facts) -> str | None:
    """That no metric of the run looks at embeddings; None where one does."""
    if main_metric(facts.metrics) is not None or not facts.metrics:
        return None
    return "No metric of this run compares embeddings, so nothing can be said about how far they move."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mean:
    transform: str
    mean: float
    low: float
    high: float


def _means(facts: Facts, spec: MetricSpec) -> list[_Mean]:
    """Transforms with a defined mean, from the furthest from the original to the closest."""
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


def most_and_least(facts: Facts) -> str | None:
    """Which transforms move the embedding most and least, with their means and intervals."""
    spec = main_metric(facts.metrics)
    if spec is None:
        return None
    means, metric = _means(facts, spec), spoken(spec.name)
    if not means:
        return f"Nothing can be said about how far the embedding moves: no value of {metric} is defined."
    first, last = means[0], means[-1]
    if len(means) == 1:
        return (
            f"{named([first.transform])} moves the embedding to a mean {metric} of {_told(first, facts)};"
            f" no other transform has a value, so there is no most and least."
        )
    if first.mean == last.mean:
        return (
            f"All {len(means)} transforms move the embedding equally far:"
            f" mean {metric} {_told(first, facts)}."
        )
    return (
        f"By {metric}, {_group(means, first)} the embedding most: mean {_told(first, facts)};"
        f" {_group(means, last)} it least: mean {_told(last, facts)}"
        f" ({number(spec.identity)} is no shift)."
    )


def _group(means: Sequence[_Mean], one: _Mean) -> str:
    names = [other.transform for other in means if other.mean == one.mean]
    return f"{named(names)} {'moves' if len(names) == 1 else 'move'}"


def _told(one: _Mean, facts: Facts) -> str:
    return f"{number(one.mean)} ({interval_text(one.low, one.high, level=facts.level)})"


def certain_ends(facts: Facts) -> str | None:
    """Whether the furthest and the closest transform are certain, by the metric of `most_and_least`."""
    spec = main_metric(facts.metrics)
    if spec is None:
        return None
    ranks = facts.orders[spec.name]
    size = len(ranks.transforms)
    if size < 2:
        return None
    last = [one.transform for one in ranks.intervals if one.high == size]
    first = [one.transform for one in ranks.intervals if one.low == 1]
    level = percent(ranks.level)
    return (
        f"By {spoken(spec.name)}, {_end(last, 'furthest')} and {_end(first, 'closest')}"
        f" (simultaneous rank intervals, {level})."
    )


def _end(candidates: Sequence[str], which: str) -> str:
    if len(candidates) == 1:
        return f"{named(candidates)} is certainly the {which}"
    return f"the {which} may be {named(candidates, word='or')}"


def certain_order(facts: Facts) -> str | None:
    """How much of the order of transforms is certain, and between which neighbours it is not."""
    ranks = _widest(facts)
    if ranks is None:
        return None
    size = len(ranks.transforms)
    pairs, certain = size * (size - 1) // 2, int(ranks.certain.sum())
    by = "the overall score" if ranks.by == "overall" else spoken(ranks.by)
    open_ = [(one, other) for one, other, known in ranks.adjacent() if not known]
    start = f"By {by}, the order is certain for {certain} of {counted(pairs, 'pair')} of transforms"
    if not open_:
        return f"{start}: all of it, at {percent(ranks.level)} jointly."
    more = f"; and {len(open_) - _SHOWN} more" if len(open_) > _SHOWN else ""
    shown = "; ".join(named(pair) for pair in open_[:_SHOWN])
    return f"{start}, at {percent(ranks.level)} jointly. Among neighbours it is open between {shown}{more}."


def _widest(facts: Facts) -> Ranks | None:
    """By the overall score where there is one, else by the main metric."""
    spec = main_metric(facts.metrics)
    found = [facts.statistics.ranks, *([facts.orders[spec.name]] if spec else [])]
    return next((ranks for ranks in found if len(ranks.transforms) > 1), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opposed:
    """Two metrics against each other: pairs of transforms certain under both, those in opposite order."""

    first: Ranks
    second: Ranks
    both: int
    pairs: tuple[tuple[str, str], ...]


def disagreement(facts: Facts) -> str:
    """Which metrics contradict each other about the order of transforms, where both are certain."""
    if len(facts.metrics) < 2:
        return "With one metric or none nothing can be said about whether metrics agree."
    if len(facts.transforms) < 2:
        return "With one transform nothing can be said about whether metrics agree about an order."
    compared = [one for one in _compared(facts) if one.both]
    if not compared:
        return "No two metrics are both certain of any order, so whether they agree cannot be said."
    opposed = [one for one in compared if one.pairs]
    if not opposed:
        return f"No two metrics contradict each other where both are certain: {_of(compared)} were compared."
    worst = max(opposed, key=lambda one: len(one.pairs))
    closer, further = worst.pairs[0]
    first, second = spoken(worst.first.by), spoken(worst.second.by)
    return (
        f"Metrics disagree about the order: {len(opposed)} of {_of(compared)} contradict each other where"
        f" both are certain (each at {percent(worst.first.level)}). Most of all do so {first} and {second},"
        f" for {len(worst.pairs)} of {counted(worst.both, 'pair')} of transforms: {named([closer])} is closer"
        f" to the original than {named([further])} by {first}, and further by {second}."
    )


def _of(compared: Sequence[_Opposed]) -> str:
    return counted(len(compared), "pair") + " of metrics"


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
    """`certain` over all transforms of the plan: one without a score is certain against none."""
    at = np.array([facts.transforms.index(name) for name in ranks.transforms], np.int64)
    found = np.zeros((len(facts.transforms), len(facts.transforms)), bool)
    found[np.ix_(at, at)] = ranks.certain
    return found
