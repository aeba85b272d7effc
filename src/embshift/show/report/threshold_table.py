"""The table of the report on which cosine means the same image."""

import math
from collections.abc import Sequence
from typing import Any

from embshift.analysis.thresholds.result import (
    COUNTED,
    LEFT_OUT,
    Estimate,
    Operating,
    ThresholdRow,
    Thresholds,
)
from embshift.core.words import count_noun
from embshift.show.report.cells import Cell, format_ends, make_cell, make_head
from embshift.show.text.numbers import spell_number
from embshift.show.text.thresholds import (
    describe_near_duplicates,
    describe_threshold,
    format_threshold,
)
from embshift.show.text.words import format_percent

__all__ = ["build_threshold_table"]


def build_threshold_table(found: Thresholds, *, order: Sequence[str] = ()) -> dict[str, Any]:
    """Return title, note, header and rows of cells.

    Args:
        found: The thresholds.
        order: Names of the transforms in the order of the rows; the row of all together is last.
    """
    given = [
        at
        for at in range(len(found.rows[0].at_rates) if found.rows else 0)
        if any(not row.at_rates[at].refused for row in found.rows)
    ]
    places = {name: at for at, name in enumerate(order)}
    treated = any(row.near_duplicates == LEFT_OUT for row in found.rows)
    return {
        "title": "Which cosine means the same image?",
        "note": _write_note(found),
        "header": [
            make_head("transform", "near-duplicates are counted as different images, or left out"),
            make_head("AUC", "share of cases in which a view is nearer to its own original than to another"),
            make_head(
                "µAP", "micro average precision over all pairs of views and originals; ties pessimistic"
            ),
            make_head(
                f"kept at precision {found.precision:g}",
                "share of views kept by the smallest cosine τ with so many of the accepted pairs right",
            ),
            *(
                make_head(
                    f"kept at {found.rows[0].at_rates[at].asked:g} false",
                    "share of views kept by the smallest cosine τ that lets in no more of the other pairs",
                )
                for at in given
            ),
            make_head("other pairs", "pairs of a view and the original of another image"),
        ],
        "rows": [
            [
                make_cell(row.transform, f"near-duplicates {row.near_duplicates}" if treated else ""),
                _share(row.auc),
                _share(row.uap),
                _kept(row.at_precision),
                *(_kept(row.at_rates[at]) for at in given),
                make_cell(f"{row.pairs:,}"),
            ]
            for row in sorted(found.rows, key=lambda row: places.get(row.transform, len(places)))
        ],
    }


def _write_note(found: Thresholds) -> str:
    last = [row for row in found.rows if row.transform == found.rows[-1].transform]
    told = [describe_near_duplicates(found), *(describe_threshold(row) for row in last)]
    ends = f"{count_noun(found.images, 'original')}. Brackets: {format_percent(found.level)} intervals."
    refused = _find_refused(last)
    return " ".join([*told, ends, *([refused] if refused else [])])


def _find_refused(rows: list[ThresholdRow]) -> str:
    """Say which rates are not given, and why; empty where all are."""
    counted = next((row for row in rows if row.near_duplicates == COUNTED), None)
    one = next((one for one in counted.at_rates if one.refused), None) if counted else None
    return f"Too few pairs for a rate of {one.asked:g} and below: {one.refused}." if one else ""


def _share(one: Estimate) -> Cell:
    return make_cell(spell_number(one.value), format_ends(one.low, one.high))


def _kept(one: Operating) -> Cell:
    if math.isnan(one.threshold):
        return make_cell("–" if one.refused or math.isnan(one.recall.value) else "none")
    ends = format_ends(one.recall.low, one.recall.high)
    return make_cell(spell_number(one.recall.value), f"τ {format_threshold(one.threshold)}", ends)
