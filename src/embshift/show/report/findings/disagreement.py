"""The sentence on metrics that contradict each other about the order of transforms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from embshift.analysis.shifts.joint_order import JointOrder
from embshift.core.words import count_noun
from embshift.show.report.facts.run import Facts
from embshift.show.text.words import format_percent, join_transforms, spell_metric

__all__ = ["describe_disagreement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opposed:
    """Two metrics compared: number of pairs of transforms certain under both, pairs in opposite order."""

    first: str
    second: str
    both: int
    pairs: tuple[tuple[str, str], ...]


def describe_disagreement(facts: Facts) -> str:
    """Say which metrics contradict each other about the order of transforms where both are certain."""
    if len(facts.metrics) < 2:
        return "With fewer than two metrics, the report cannot say whether metrics agree."
    if len(facts.transforms) < 2:
        return "With fewer than two transforms, the report cannot say whether metrics agree on the order."
    compared = [one for one in _compared(facts.joint) if one.both]
    if not compared:
        return "No two metrics are both certain about any pair of transforms: agreement cannot be judged."
    opposed = [one for one in compared if one.pairs]
    if not opposed:
        return (
            "No two metrics contradict each other where both are certain (joint"
            f" {format_percent(facts.joint.level)}; {_pairs(compared)} compared). {_tell_agreed(facts.joint)}"
        )
    worst = max(opposed, key=lambda one: len(one.pairs))
    closer, further = worst.pairs[0]
    first, second = spell_metric(worst.first), spell_metric(worst.second)
    return (
        f"Metrics disagree about the order: {len(opposed)} of {_pairs(compared)} contradict each other where"
        f" both are certain (joint {format_percent(facts.joint.level)}). {_capitalise(first)} and {second}"
        f" disagree most, on {len(worst.pairs)} of {count_noun(worst.both, 'pair')} of transforms: for"
        f" example, {join_transforms([closer])} is closer to the original than {join_transforms([further])}"
        f" by {first}, but further from it by {second}. {_tell_agreed(facts.joint)}"
    )


def _tell_agreed(joint: JointOrder) -> str:
    agreed = count_noun(comb(len(joint.transforms), 2), "pair")
    return f"All {len(joint.metrics)} metrics agree on {len(joint.agreed())} of {agreed} of transforms."


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]


def _pairs(compared: Sequence[_Opposed]) -> str:
    return count_noun(len(compared), "pair") + " of metrics"


def _compared(joint: JointOrder) -> Iterator[_Opposed]:
    for one, other in combinations(range(len(joint.metrics)), 2):
        first, second = joint.order[one], joint.order[other]
        opposite = np.argwhere((first == 1) & (second == -1))
        yield _Opposed(
            first=joint.metrics[one],
            second=joint.metrics[other],
            both=int(np.triu((first != 0) & (second != 0)).sum()),
            pairs=tuple((joint.transforms[a], joint.transforms[b]) for a, b in opposite.tolist()),
        )
