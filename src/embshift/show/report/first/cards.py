"""Cards of a run: three to five findings, each with a large number and its interval."""

import math
from collections.abc import Callable, Iterator, Sequence
from math import comb

from embshift.analysis.thresholds.result import LEFT_OUT
from embshift.core.words import count_noun
from embshift.show.report.facts.run import Facts
from embshift.show.report.findings.left_out import defined_means
from embshift.show.report.first.card import Card, list_card, make_card
from embshift.show.report.first.estimates import Estimate
from embshift.show.report.first.level_cards import list_matched_cards, list_sweep_cards
from embshift.show.report.first.shifts import RELATIVE, Shifts
from embshift.show.text.thresholds import format_threshold
from embshift.show.text.words import format_percent, join_transforms, spell_metric

__all__ = ["FEWEST", "MOST", "list_cards"]

FEWEST, MOST = 3, 5
"""Number of cards; fewer only where a run has no more to say."""


def list_cards(facts: Facts, shifts: Shifts, *, network: Card | None = None) -> list[dict[str, str]]:
    """Return the cards of a run, the most important first.

    Args:
        facts: The numbers of the run.
        shifts: Its transforms, the largest shift first.
        network: The card of an explanation; None without one.
    """
    chosen = list(_choose(_FIRST, facts, shifts))[: MOST if network is None else MOST - 1]
    chosen += [] if network is None else [network]
    spare = list(_choose(_SPARE, facts, shifts))[: max(0, FEWEST - len(chosen))]
    return [list_card(one) for one in (*chosen, *spare)]


_Describe = Callable[[Facts, Shifts], Iterator[Card]]


def _choose(describe: Sequence[_Describe], facts: Facts, shifts: Shifts) -> Iterator[Card]:
    for each in describe:
        yield from each(facts, shifts)


def _levels(facts: Facts, _: Shifts) -> Iterator[Card]:
    if facts.levels.sweep is not None:
        yield from list_sweep_cards(facts.levels.sweep)
    if facts.levels.matched is not None:
        yield from list_matched_cards(facts.levels.matched)


def _largest(facts: Facts, shifts: Shifts) -> Iterator[Card]:
    """Yield the largest shift; the levels of a sweep or a matched run are not compared with each other."""
    if _has_levels(facts) or not shifts.known:
        return
    row = shifts.known[0]
    of = shifts.measure if shifts.kind == RELATIVE else f"by {shifts.measure}"
    text = f"{of}: the shift under {join_transforms([row.transform])}, the largest"
    yield make_card("largest", row.shift, text, section="numbers", level=facts.level)


def _has_levels(facts: Facts) -> bool:
    return facts.levels.sweep is not None or facts.levels.matched is not None


def _found(facts: Facts, shifts: Shifts) -> Iterator[Card]:
    """Yield the lowest share of views that find their original."""
    known = [row for row in shifts.rows if row.found.known]
    if _has_levels(facts) or not known:
        return
    row = min(known, key=lambda one: one.found.value)
    name = join_transforms([row.transform])
    if row.found.value == 1:
        text = f"of the views of every transform find their original among {_count(shifts)}"
        yield Card(about="found", number="100 %", ends="", text=text, section="context")
        return
    text = f"of the views of {name} find their original among {_count(shifts)}, the fewest"
    yield make_card("found", row.found, text, section="context", level=facts.level)


def _count(shifts: Shifts) -> str:
    return count_noun(shifts.gallery, "image")


def _removal(facts: Facts, _: Shifts) -> Iterator[Card]:
    """Yield the largest certain share of a shift that one vector removes."""
    if _has_levels(facts) or facts.embeddings is None:
        return
    found = facts.embeddings.direction
    known = defined_means(found, "corrected_mean")
    certain = {name: mean for name, mean in known.items() if found.interval(name, "corrected_mean")[0] > 0}
    if not certain:
        return
    name = max(certain, key=certain.__getitem__)
    low, high = found.interval(name, "corrected_mean")
    text = (
        f"of the shift under {join_transforms([name])} is removed by subtracting one vector from all"
        " embeddings"
    )
    estimate = Estimate(value=certain[name], low=low, high=high)
    yield make_card("removal", estimate, text, section="context", level=found.level)


def _threshold(facts: Facts, _: Shifts) -> Iterator[Card]:
    """Yield the share of all views that a threshold keeps at the precision asked for."""
    if facts.embeddings is None or not facts.embeddings.thresholds.rows:
        return
    found = facts.embeddings.thresholds
    at = found.row(found.rows[-1].transform, near_duplicates=LEFT_OUT).at_precision
    if math.isnan(at.recall.value):
        return
    text = (
        f"of all views are found with a cosine threshold of {format_threshold(at.threshold)}, where"
        f" {format_percent(found.precision)} of what is found is right"
    )
    estimate = Estimate(value=at.recall.value, low=at.recall.low, high=at.recall.high)
    yield make_card("threshold", estimate, text, section="context", level=found.level)


def _smallest(facts: Facts, shifts: Shifts) -> Iterator[Card]:
    if _has_levels(facts) or len(shifts.known) < 2:
        return
    row = shifts.known[-1]
    of = shifts.measure if shifts.kind == RELATIVE else f"by {shifts.measure}"
    text = f"{of}: the shift under {join_transforms([row.transform])}, the smallest"
    yield make_card("smallest", row.shift, text, section="numbers", level=facts.level)


def _order(facts: Facts, _: Shifts) -> Iterator[Card]:
    size = 0 if facts.main is None else len(facts.main.transforms)
    if facts.main is None or size < 2:
        return
    number = f"{int(facts.main.certain.sum())} of {comb(size, 2)}"
    level = format_percent(facts.main.level)
    text = f"pairs of transforms have a certain order by {spell_metric(facts.main.by)} (joint {level})"
    yield Card(about="order", number=number, ends="", text=text, section="numbers")


def _metrics(facts: Facts, _: Shifts) -> Iterator[Card]:
    if len(facts.metrics) < 2 or len(facts.transforms) < 2:
        return
    pairs = comb(len(facts.joint.transforms), 2)
    text = f"pairs of transforms have the same certain order by all {len(facts.joint.metrics)} metrics"
    number = f"{len(facts.joint.agreed())} of {pairs}"
    yield Card(about="agreement", number=number, ends="", text=text, section="numbers")


_FIRST: Sequence[_Describe] = (_levels, _largest, _found, _threshold, _removal)
"""Cards of most runs."""

_SPARE: Sequence[_Describe] = (_smallest, _order, _metrics)
"""Cards where there are too few others."""
