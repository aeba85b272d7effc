"""Tables and sentences of thresholds: for a terminal, a paper, a spreadsheet, a program."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from embshift.analysis.thresholds.result import (
    ALL_TOGETHER,
    COUNTED,
    Estimate,
    Operating,
    ThresholdRow,
    Thresholds,
)
from embshift.core.words import count_noun
from embshift.show.text.markup import Cells, find_writer, open_table
from embshift.show.text.numbers import format_estimate, format_exact, write_json
from embshift.show.text.words import format_percent, make_visible, shorten

__all__ = [
    "describe_near_duplicates",
    "describe_threshold",
    "format_threshold",
    "format_thresholds",
    "thresholds_table",
]


def thresholds_table(found: Thresholds) -> Table:
    """Return thresholds as a table for the terminal: each interval below its value, notes at the end."""
    table = open_table("\n".join(_caption(found)))
    header, rows = _cells(found, between="\n")
    for name in header:
        table.add_column(name, justify="left" if name in ("transform", "near-duplicates") else "right")
    for cells in rows:
        table.add_row(*cells)
    return table


def format_thresholds(found: Thresholds, *, style: str) -> str:
    """Format thresholds as text.

    Args:
        found: The thresholds.
        style: A name in `FORMATS` except "table"; "csv" and "json" keep full precision, others round.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        return write_json(_content(found))
    return find_writer(style)(*(_columns(found) if style == "csv" else _cells(found, between=" ")))


def format_threshold(cosine: float) -> str:
    """Format a threshold, rounded up, so that it lets in no more than was said; four digits or more."""
    if math.isnan(cosine):
        return "–"
    apart = 1 - cosine
    digits = 4 if apart >= 1e-2 or apart <= 0 else min(12, 2 - math.floor(math.log10(apart)))
    return f"{math.ceil(round(cosine * 10**digits, 6)) / 10**digits:.{digits}f}".replace("-", "−")


def describe_near_duplicates(found: Thresholds) -> str:
    """Say which originals show the same, though their files differ."""
    if found.near_count is None:
        return (
            "Near-duplicates among the originals are not known: the run was measured with an earlier version."
        )
    if not found.near_count:
        return "No near-duplicates were found among the originals."
    named = "; ".join(_name_group(group) for group in found.near_groups[:_GROUPS])
    more = len(found.near_groups) - _GROUPS
    rest = f"; and {count_noun(more, 'more group')}" if more > 0 else ""
    return (
        f"{count_noun(found.near_images, 'original')} in {count_noun(len(found.near_groups), 'group')} of"
        f" near-duplicates ({count_noun(found.near_count, 'pair')}): {named}{rest}."
    )


_GROUPS, _MEMBERS = 20, 5
"""Groups that are named, and images of each."""


def _name_group(group: Sequence[str]) -> str:
    more = len(group) - _MEMBERS
    names = [_name(one) for one in group[:_MEMBERS]] + ([f"{more:,} more"] if more > 0 else [])
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _name(text: str) -> str:
    return shorten(make_visible(text))


def describe_threshold(row: ThresholdRow) -> str:
    """Say what a threshold keeps and lets in, at the lowest false-positive rate that the pairs support."""
    one = row.finest or row.at_precision
    whose = "all views" if row.transform == ALL_TOGETHER else f"{_name(row.transform)} views"
    if not row.pairs:
        return f"No threshold can be given for {whose}: there is no view of another image to tell them from."
    if math.isnan(one.threshold):
        return f"No cosine keeps {whose} with 9 of 10 pairs right."
    share = f"{_percent(one.recall)} of {whose} {'is' if row.views == 1 else 'are'} kept"
    treated = " Near-duplicates are left out." if row.near_duplicates != COUNTED else ""
    if row.finest:
        let_in = f"and {_per_million(one)} other pairs are let in"
    else:
        let_in = f"9 of 10 pairs are right, and {_count_let_in(row, one)}"
    return (
        f"At cosine ≥ {format_threshold(one.threshold)}, {share}{',' * (not row.finest)} {let_in}.{treated}"
    )


def _percent(one: Estimate) -> str:
    ends = "" if math.isnan(one.low) else f" ({format_percent(one.low)} to {format_percent(one.high)})"
    return f"{format_percent(one.value)}{ends}"


def _per_million(one: Operating) -> str:
    low, high = _format_count(1e6 * one.rate.low), _format_count(1e6 * one.rate.high)
    ends = "" if math.isnan(one.rate.low) else f" ({low} to {high})"
    return f"{_format_count(1e6 * one.rate.value)} in a million{ends}"


def _format_count(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _count_let_in(row: ThresholdRow, one: Operating) -> str:
    if one.let_in:
        return f"{one.let_in:,} of {row.pairs:,} other pairs are let in"
    most = "" if math.isnan(one.rate.high) else f" (at most {100 * one.rate.high:.2g} % of such pairs)"
    return f"none of {row.pairs:,} other pairs is let in{most}"


def _caption(found: Thresholds) -> Iterator[str]:
    yield describe_near_duplicates(found)
    yield from (describe_threshold(row) for row in found.rows if row.transform == found.rows[-1].transform)
    yield (
        f"kept: share of views with a cosine of τ or more, its {100 * found.level:g} % interval over images,"
        f" and τ: the smallest cosine with {format_percent(found.precision)} of the accepted pairs right, or"
        " with no more than this share of the other pairs accepted; –: too few pairs"
    )
    yield from found.notes
    if found.left_out:
        yield f"images left out because they have no usable embedding: {found.left_out:,}"


def _cells(found: Thresholds, *, between: str) -> Cells:
    treated = any(row.near_duplicates != COUNTED for row in found.rows)
    rates = [one for at, one in enumerate(_asked(found)) if _given(found, at)]
    header = [
        "transform",
        *(["near-duplicates"] if treated else []),
        "AUC",
        "µAP",
        f"kept at precision {found.precision:g}",
        *(f"kept at {one:g} false" for one in rates),
        "other pairs",
        "n",
    ]
    rows = [
        [
            row.transform,
            *([row.near_duplicates] if treated else []),
            *(_value(one, between) for one in (row.auc, row.uap)),
            _kept(row.at_precision, between),
            *(_kept(one, between) for at, one in enumerate(row.at_rates) if _given(found, at)),
            f"{row.pairs:,}",
            f"{row.images:,}",
        ]
        for row in found.rows
    ]
    return header, rows


def _asked(found: Thresholds) -> list[float]:
    return [one.asked for one in found.rows[0].at_rates] if found.rows else []


def _given(found: Thresholds, at: int) -> bool:
    return any(not row.at_rates[at].refused for row in found.rows)


def _value(one: Estimate, between: str) -> str:
    return format_estimate(one.value, one.low, one.high, between=between)


def _kept(one: Operating, between: str) -> str:
    if math.isnan(one.threshold):
        return "–" if one.refused or math.isnan(one.recall.value) else "none"
    return f"{_value(one.recall, between)}{between}τ {format_threshold(one.threshold)}"


def _columns(found: Thresholds) -> Cells:
    records = found.records()
    rows = [
        [format_exact(value) if isinstance(value, float) else str(value) for value in record.values()]
        for record in records
    ]
    return list(records[0]) if records else [], rows


def _content(found: Thresholds) -> dict[str, Any]:
    near = [{"first": one.first, "second": one.second, "bits": one.bits} for one in found.near_pairs]
    return {
        "name": "thresholds",
        "images": found.images,
        "queries": found.queries,
        "left_out": found.left_out,
        "level": found.level,
        "resamples": found.resamples,
        "precision": found.precision,
        "near_duplicates": {
            "pairs": found.near_count,
            "images": found.near_images,
            "first": near,
            "groups": [list(group) for group in found.near_groups],
        },
        "notes": list(found.notes),
        "thresholds": found.records(),
    }
