"""The sentence on metrics that contradict each other about the order of transforms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Bool

from embshift.analysis.shifts.ranks import Ranks
from embshift.core.words import count_noun
from embshift.runs.precision import read_precision_errors
from embshift.show.report.facts.run import Facts
from embshift.show.text.words import format_percent, join_transforms, spell_metric

__all__ = ["describe_disagreement"]

_FLOOR = 1e-5
"""Differences up to this, relative to the greatest score, are rounding of float32."""


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
        return (
            "No two metrics contradict each other where both are certain (joint"
            f" {format_percent(facts.level)}; {_pairs(compared)} compared)."
        )
    worst = max(opposed, key=lambda one: len(one.pairs))
    closer, further = worst.pairs[0]
    first, second = spell_metric(worst.first.by), spell_metric(worst.second.by)
    return (
        f"Metrics disagree about the order: {len(opposed)} of {_pairs(compared)} contradict each other where"
        f" both are certain (joint {format_percent(facts.level)}). {_capitalise(first)} and {second}"
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
    """Return `certain` over all transforms of the plan, without differences that rounding could make.

    A transform without a score is certain against none.
    """
    at = np.array([facts.transforms.index(name) for name in ranks.transforms], np.int64)
    found = np.zeros((len(facts.transforms), len(facts.transforms)), bool)
    found[np.ix_(at, at)] = ranks.certain & (np.abs(ranks.difference) > _floor(ranks, facts))
    return found


def _floor(ranks: Ranks, facts: Facts) -> float:
    """Return the difference, in the metric's unit, that the precision of the run could make."""
    scale = float(np.abs(ranks.score).max(initial=0.0))
    error = (read_precision_errors(facts.info) or {}).get(ranks.by)
    measured = 0.0 if error is None or np.isnan(error.mean) else error.mean * (scale if error.relative else 1)
    return max(_FLOOR * scale, measured)
