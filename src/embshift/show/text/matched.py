"""Transforms at equal damage as text: for a terminal, a paper, a spreadsheet, a program."""

import json
import math
from dataclasses import asdict
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from embshift.analysis.strength.matched import DISPLACEMENT, Matched, MatchedGroup, MatchedRow
from embshift.core.errors import UnknownNameError
from embshift.show.text.markup import comma_separated, latex, markdown
from embshift.show.text.summary import FORMATS
from embshift.show.text.sweep import strength_text

__all__ = ["UNMATCHED", "format_matched", "matched_table"]

UNMATCHED = "unmatched"
"""What stands for the damage where a transform is as the preset "paper" sets it."""

_HEADER = ["damage", "transform", "strength", "reached", "shift", "recall@1", "n"]


_UNMATCHED_SAID = (
    "\nunmatched: as the preset paper sets them, on the same pictures, whatever damage that does"
)


def matched_table(matched: Matched) -> Table:
    """The groups for a terminal, in each the transform that shifts most first."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), caption=_caption(matched), caption_justify="left")
    for name in _HEADER:
        left = name in ("damage", "transform")
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "strength")
    for group in matched.groups:
        for cells in _group_cells(group):
            table.add_row(*(escape(cell) for cell in cells))
        table.add_section()
    for cells in _unmatched_cells(matched):
        table.add_row(*(escape(cell) for cell in cells))
    return table


def _caption(matched: Matched) -> str:
    return (
        f"strengths solved on {matched.solved_on:,} pictures, ranked on {matched.gallery:,} others · shift:"
        f" mean 1 − cosine with its {100 * matched.level:g} % interval\n"
        "SSIM: mean structural similarity of the three colours · way: mean displacement of the pixels;"
        " the two kinds are not comparable" + _UNMATCHED_SAID * bool(matched.unmatched)
    )


def _damage(group: MatchedGroup) -> str:
    return f"way {group.target:g} px" if group.kind == DISPLACEMENT else f"SSIM {group.target:g}"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def _ends(low: float, high: float) -> str:
    return "" if math.isnan(low) else f" ({_number(low)} to {_number(high)})"


def _row_cells(row: MatchedRow, damage: str) -> list[str]:
    strength = strength_text(float(f"{row.strength:.4g}"), row.unit)
    shift, recall = f"{_number(row.shift)}{_ends(row.low, row.high)}", _number(row.recall)
    return [damage, row.transform, strength, f"{row.achieved:.4g}", shift, recall, f"{row.n:,}"]


def _group_cells(group: MatchedGroup) -> list[list[str]]:
    damage = _damage(group)
    rows = [_row_cells(row, damage) for row in group.rows]
    reached = [[damage, each.transform, each.why, f"{each.achieved:.4g}"] for each in group.out_of_reach]
    return rows + [[*cells, "out of reach", "", ""] for cells in reached]


def _unmatched_cells(matched: Matched) -> list[list[str]]:
    return [
        [
            UNMATCHED,
            row.transform,
            "",
            "",
            f"{_number(row.shift)}{_ends(row.low, row.high)}",
            "",
            f"{row.n:,}",
        ]
        for row in matched.unmatched
    ]


def format_matched(matched: Matched, *, style: str) -> str:
    """Matched transforms as text.

    Args:
        matched: The groups.
        style: A name in `FORMATS` but "table"; "csv" and "json" hold full precision.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        return json.dumps(_plain(asdict(matched)), indent=2, allow_nan=False)
    writers = {"markdown": markdown, "latex": latex, "csv": comma_separated}
    if style not in writers:
        raise UnknownNameError("format", style, [name for name in FORMATS if name != "table"])
    if style == "csv":
        return comma_separated(*_columns(matched))
    rows = [cells for group in matched.groups for cells in _group_cells(group)]
    return writers[style](_HEADER, rows + _unmatched_cells(matched))


def _plain(value: Any) -> Any:
    """JSON has no NaN: null."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _columns(matched: Matched) -> tuple[list[str], list[list[str]]]:
    names = ["transform", "family", "strength", "unit", "achieved", "shift", "low", "high", "recall", "n"]
    rows = list[list[str]]()
    for group in matched.groups:
        own = [group.kind, repr(group.target)]
        for row in group.rows:
            rows.append([*own, *(_exact(getattr(row, name)) for name in names), ""])
        for each in group.out_of_reach:
            reached = [each.transform, each.family, "", each.unit, _exact(each.achieved), "", "", "", "", ""]
            rows.append([*own, *reached, each.why])
    for row in matched.unmatched:
        shift = [_exact(value) for value in (row.shift, row.low, row.high)]
        rows.append([UNMATCHED, "", row.transform, "", "", "", "", *shift, "", str(row.n), ""])
    return ["kind", "target", *names, "out_of_reach"], rows


def _exact(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if isinstance(value, float) and math.isnan(value) else repr(value)
