"""Extremes: the images that each transform shifts most and least, a bounded number of rows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from embshift.core.types import Direction
from embshift.show.report.facts.run import Facts

__all__ = ["Extremes", "choose_extremes", "list_rows", "take_turns"]

EACH = 4
"""Images at either end of a transform and metric."""

ROWS = 300
"""Maximum number of different images on a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extremes:
    """Rows of the most and the least shifted images of one transform and metric, the most extreme first.

    Attributes:
        most: Rows of the most shifted images.
        least: Rows of the least shifted images.
    """

    most: tuple[int, ...]
    least: tuple[int, ...]


def choose_extremes(facts: Facts) -> dict[tuple[int, int], Extremes]:
    """Choose extremes by transform and metric (positions in the plan), until the page is full."""
    wanted = {
        (transform, metric): _find_extremes(
            facts.values.values[:, transform, metric],
            rows=facts.values.rows,
            higher=spec.direction is Direction.HIGHER,
        )
        for metric, spec in enumerate(facts.metrics)
        for transform in range(len(facts.transforms))
    }
    taken = set(list_rows(wanted)[:ROWS])
    return {
        key: Extremes(most=_within(ends.most, taken), least=_within(ends.least, taken))
        for key, ends in wanted.items()
    }


def _within(rows: Iterable[int], taken: set[int]) -> tuple[int, ...]:
    return tuple(row for row in rows if row in taken)


def _find_extremes(
    column: Float[np.ndarray, " images"], *, rows: Int64[np.ndarray, " images"], higher: bool
) -> Extremes:
    defined = np.flatnonzero(~np.isnan(column))
    shift = -column[defined] if higher else column[defined]
    each = min(EACH, (len(defined) + 1) // 2)
    order = defined[np.argsort(-shift, kind="stable")] if len(defined) <= 2 * EACH else None
    if order is None:
        # A full sort of a million values for each transform and metric would take a minute.
        outer = np.argpartition(shift, (each, len(shift) - each - 1))
        outer = np.concatenate([outer[:each], outer[-each:]])
        order = defined[outer[np.argsort(-shift[outer], kind="stable")]]
    least = order[::-1][: min(each, len(order) - each)]
    return Extremes(most=tuple(rows[order[:each]].tolist()), least=tuple(rows[least].tolist()))


def take_turns(found: Mapping[tuple[int, int], Extremes]) -> Iterator[tuple[int, int]]:
    """Yield (transform, row): the most extreme rows of all transforms and metrics, then the next ones."""
    for place in range(EACH):
        for (transform, _), ends in found.items():
            for row in (*ends.most[place : place + 1], *ends.least[place : place + 1]):
                yield transform, row


def list_rows(found: Mapping[tuple[int, int], Extremes]) -> tuple[int, ...]:
    """Return each row once, the most extreme first."""
    return tuple(dict.fromkeys(row for _, row in take_turns(found)))
