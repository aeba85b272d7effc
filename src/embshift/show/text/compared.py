"""Compared runs as tables for a terminal, a paper, a spreadsheet, a program."""

import math
from collections.abc import Iterator
from typing import Any

from rich.table import Table

from embshift.analysis.compared.results import ComparedPair, Comparison
from embshift.analysis.compared.stability import OVERVIEW
from embshift.core.words import count_noun
from embshift.show.text.compared_answers import list_answers
from embshift.show.text.markup import Cells, find_writer, open_table
from embshift.show.text.numbers import (
    format_cell,
    format_estimate,
    format_exact,
    shows_side,
    spell_beside,
    spell_number,
    write_json,
)
from embshift.show.text.words import format_percent

__all__ = [
    "compared_cells",
    "compared_table",
    "format_compared",
    "overview_cells",
    "space_cells",
]


def space_cells(found: Comparison) -> Cells:
    """Return what happens to the embeddings of unchanged images, for runs that share a space."""
    header = [
        "run",
        "relation",
        "greatest shift",
        "overlap of neighbours",
        "found first in the old index",
        "numeric floor",
    ]
    rows = [
        [
            pair.name,
            pair.relation,
            spell_number(pair.space.same_image_shift),
            spell_number(pair.space.neighbour_overlap),
            format_percent(pair.space.old_index_recall),
            "not measured" if math.isnan(found.floor) else spell_number(found.floor),
        ]
        for pair in found.pairs
        if pair.space is not None
    ]
    return header, rows


def compared_cells(found: Comparison) -> Cells:
    """Return the table of the statistic that was tested: runs, differences, and p adjusted by max-T."""
    at, several = found.statistics.index(found.by), len(found.pairs) > 1
    beside = [f" {pair.name}" if several else "" for pair in found.pairs]
    header = ["transform", *(run.name for run in found.runs)]
    for name, pair in zip(beside, found.pairs, strict=True):
        header += [f"difference{name}", f"p{name}"]
        header += [] if pair.verdicts is None else [f"worse by at most{name}"]
    rows = [_row(found, place, column=at) for place in range(len(found.transforms))]
    return header, rows


def _row(found: Comparison, at: int, *, column: int) -> list[str]:
    cells = [found.transforms[at]]
    for run in found.runs:
        values = run.estimates
        cells.append(
            format_estimate(*(float(part[at, column]) for part in (values.mean, values.low, values.high)))
        )
    for pair in found.pairs:
        other = pair.differences
        ends = (other.mean, other.joint_low, other.joint_high)
        cells += [format_estimate(*(float(part[at, column]) for part in ends)), _p(float(pair.adjusted[at]))]
        if pair.verdicts is not None:
            mark = " ✓" if pair.verdicts.holds(at) else ""
            cells.append(f"{_format_bound(float(pair.verdicts.bound[at]), pair.verdicts.margin)}{mark}")
    return cells


def _format_bound(value: float, margin: float) -> str:
    """Format a bound as other cells; with more digits where these hide its side of the margin."""
    text = format_cell(value)
    return text if shows_side(text, value, margin) else spell_beside(value, margin)


def _p(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2g}"


def overview_cells(found: Comparison) -> Cells:
    """Return every run by stability, recall and separation, each with its joint ranks."""
    ranks = {name: {one.transform: one for one in found.overview.ranks[name].intervals} for name in OVERVIEW}
    rows = []
    for name, each in zip(found.overview.runs, found.overview.estimates, strict=True):
        cells = [name]
        for column, number in enumerate(OVERVIEW):
            ends = (float(part[0, column]) for part in (each.mean, each.low, each.high))
            own = ranks[number].get(name)
            rank = "–" if own is None else f"{own.rank} [{own.low}, {own.high}]"
            cells += [format_estimate(*ends), rank]
        rows.append(cells)
    header = ["run", "relative shift", "rank", "recall@1", "rank ", "separation", "rank  "]
    return header, rows


def compared_table(found: Comparison) -> Table:
    """Return the comparison as a table for the terminal; answers and notes stand below it."""
    header, rows = compared_cells(found)
    lines = [
        f"{found.by}, mean and {100 * found.level:g} % interval over {count_noun(found.images, 'image')};"
        f" difference to {found.runs[0].name}: interval of all transforms together; p: sign flips, max-T",
        *list_answers(found),
        *_list_s50(found),
        *found.notes,
    ]
    table = open_table("\n".join(lines))
    for name in header:
        first = name == "transform"
        table.add_column(name, justify="left" if first else "right", no_wrap=first)
    for row in rows:
        table.add_row(row[0], *(cell.replace(" (", "\n(") for cell in row[1:]))
    return table


def _list_s50(found: Comparison) -> Iterator[str]:
    """Return the levels at which half of the views are lost, of sweeps."""
    from embshift.show.text.sweep import s50_ends, s50_text

    for run in found.runs:
        if run.sweep is not None:
            curves = (f"{one.transform} {s50_text(one)} ({s50_ends(one)})" for one in run.sweep.curves)
            yield f"{run.name}: recall@1 falls below 50 % at {', '.join(curves)}"


def format_compared(found: Comparison, *, style: str) -> str:
    """Format a comparison as text.

    Args:
        found: The comparison.
        style: A name in `FORMATS` except "table"; "csv" and "json" keep full precision, others round.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        return write_json(_content(found))
    if style != "csv":
        return find_writer(style)(*compared_cells(found))
    records = found.records()
    rows = [[_exact(value) for value in record.values()] for record in records]
    return find_writer(style)(list(records[0]), rows)


def _exact(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else format_exact(value)


def _content(found: Comparison) -> dict[str, Any]:
    return {
        "by": found.by,
        "images": found.images,
        "level": found.level,
        "numeric_floor": found.floor,
        "reference": found.runs[0].name,
        "answers": list_answers(found),
        "pairs": [_pair_content(pair) for pair in found.pairs],
        "overview": _overview_content(found),
        "rows": found.records(),
        "notes": found.notes,
    }


def _pair_content(pair: ComparedPair) -> dict[str, Any]:
    space = pair.space
    panel = (
        {}
        if space is None
        else {
            "same_image_shift": space.same_image_shift,
            "neighbour_overlap": space.neighbour_overlap,
            "old_index_recall": space.old_index_recall,
        }
    )
    return {"run": pair.name, "relation": pair.relation, "panel": panel or None}


def _overview_content(found: Comparison) -> list[dict[str, Any]]:
    rows = list[dict[str, Any]]()
    for at, name in enumerate(found.overview.runs):
        row: dict[str, Any] = {"run": name}
        each = found.overview.estimates[at]
        for column, number in enumerate(OVERVIEW):
            row |= {
                f"{number}_{part}": float(getattr(each, part)[0, column]) for part in ("mean", "low", "high")
            }
            own = next((one for one in found.overview.ranks[number].intervals if one.transform == name), None)
            row |= {f"{number}_rank": None if own is None else [own.rank, own.low, own.high]}
        rows.append(row)
    return rows
