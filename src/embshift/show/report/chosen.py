"""Which pictures stand behind each number: the most and the least shifted, a bounded number of rows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.core.types import Direction
from embshift.show.report.facts import Facts

__all__ = ["Extremes", "choose", "rows_of"]

EACH = 4
"""Pictures at either end of a transform and metric."""

ROWS = 300
"""Different pictures at most in a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extremes:
    """Rows at either end of one transform and metric, the most extreme first.

    Attributes:
        most: The most shifted.
        least: The least shifted.
    """

    most: tuple[int, ...]
    least: tuple[int, ...]


def choose(facts: Facts) -> dict[tuple[int, int], Extremes]:
    """By transform and metric (places in the plan), until a page's number of pictures is reached."""
    wanted = {
        (transform, metric): _ends(
            facts.values.values[:, transform, metric],
            rows=facts.values.rows,
            higher=spec.direction is Direction.HIGHER,
        )
        for metric, spec in enumerate(facts.metrics)
        for transform in range(len(facts.transforms))
    }
    taken = set[int]()
    for row in _in_turn(wanted.values()):
        if len(taken) < ROWS:
            taken.add(row)
    return {
        key: Extremes(most=_within(ends.most, taken), least=_within(ends.least, taken))
        for key, ends in wanted.items()
    }


def _within(rows: Iterable[int], taken: set[int]) -> tuple[int, ...]:
    return tuple(row for row in rows if row in taken)


def _ends(
    column: Float64[np.ndarray, " images"], *, rows: Int64[np.ndarray, " images"], higher: bool
) -> Extremes:
    defined = np.flatnonzero(~np.isnan(column))
    shift = -column[defined] if higher else column[defined]
    each = min(EACH, (len(defined) + 1) // 2)
    order = defined[np.argsort(-shift, kind="stable")] if len(defined) <= 2 * EACH else None
    if order is None:
        # Sorting a million values for eight of them, for each transform and metric, would take a minute.
        outer = np.argpartition(shift, (each, len(shift) - each - 1))
        outer = np.concatenate([outer[:each], outer[-each:]])
        order = defined[outer[np.argsort(-shift[outer], kind="stable")]]
    least = order[::-1][: min(each, len(order) - each)]
    return Extremes(most=tuple(rows[order[:each]].tolist()), least=tuple(rows[least].tolist()))


def _in_turn(found: Iterable[Extremes]) -> Iterator[int]:
    """The most extreme of all transforms and metrics first, then the next of all."""
    every = list(found)
    for place in range(EACH):
        for ends in every:
            yield from ends.most[place : place + 1]
            yield from ends.least[place : place + 1]


def rows_of(found: dict[tuple[int, int], Extremes]) -> Sequence[int]:
    """The rows, each once, the most extreme first."""
    return tuple(dict.fromkeys(_in_turn(found.values())))
