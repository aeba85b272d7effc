"""Everything on the first screen: headline, caveats, chart and cards."""

from typing import Any

from embshift.analysis.strength.levels import is_sweep
from embshift.runs.tables import RunTables
from embshift.show.report.facts.run import Facts
from embshift.show.report.first.card import Card
from embshift.show.report.first.cards import list_cards
from embshift.show.report.first.caveats import list_first_caveats
from embshift.show.report.first.chart import build_matched_chart, build_shift_chart, list_greatest
from embshift.show.report.first.headline import write_headline, write_matched_headline, write_sweep_headline
from embshift.show.report.first.shifts import rank_shifts
from embshift.show.report.first.sweep_chart import build_sweep_chart

__all__ = ["build_first"]


def build_first(run: RunTables, facts: Facts, *, network: Card | None = None) -> dict[str, Any]:
    """Return what the first screen shows.

    Args:
        run: The run.
        facts: Its numbers.
        network: The card of an explanation; None without one.
    """
    shifts = rank_shifts(facts)
    sweep = facts.levels.sweep if is_sweep(run) else None
    matched = facts.levels.matched
    if sweep is not None:
        headline, chart = write_sweep_headline(sweep), build_sweep_chart(run, facts, sweep)
    elif matched is not None and (groups := list_greatest(matched)):
        headline = write_matched_headline(groups)
        chart = build_matched_chart(run, facts, matched)
    else:
        headline, chart = write_headline(facts, shifts), build_shift_chart(run, facts, shifts)
    return {
        "headline": headline,
        "caveats": list_first_caveats(facts),
        "chart": chart,
        "cards": list_cards(facts, shifts, network=network),
    }
