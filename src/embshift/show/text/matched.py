"""Tables of transforms at equal damage: for a terminal, a paper, a spreadsheet, a program."""

from dataclasses import asdict
from typing import Any

from rich.table import Table

from embshift.analysis.strength.matched import Matched, MatchedGroup, MatchedRow
from embshift.analysis.strength.solved import DISPLACEMENT
from embshift.show.text.markup import Cells, comma_separated, find_writer, open_table
from embshift.show.text.numbers import format_estimate, format_exact, write_json
from embshift.show.text.sweep import strength_text

__all__ = ["UNMATCHED", "format_matched", "matched_table"]

UNMATCHED = "unmatched"
"""Text in the column "damage" for a transform with the strength of the preset "paper"."""

_HEADER = ["damage", "transform", "strength", "reached", "shift", "rank", "recall@1", "n"]
_WRAPPED = ("damage", "strength", "reached", "shift", "recall@1")

_UNMATCHED_NOTE = "\nunmatched: same images, strengths of the preset paper, damage not equalised"


def matched_table(matched: Matched) -> Table:
    """Return the groups as a table for the terminal; within a group the largest shift comes first."""
    table = open_table(_caption(matched))
    for name in _HEADER:
        left = name in ("damage", "transform")
        table.add_column(name, justify="left" if left else "right", no_wrap=name not in _WRAPPED)
    for group in matched.groups:
        for cells in _group_cells(group):
            table.add_row(*cells)
        table.add_section()
    for cells in _unmatched_cells(matched):
        table.add_row(*cells)
    return table


def _caption(matched: Matched) -> str:
    off = any(row.off_target for group in matched.groups for row in group.rows)
    return (
        f"{matched.splits} splits: each half of {matched.gallery:,} images at strengths solved on the other"
        f" half (damage of {matched.solved_on:,} known)\n"
        f"shift: mean 1 − cosine · intervals: {100 * matched.level:g} %\n"
        "SSIM: mean structural similarity of the colour channels · displacement: mean pixel displacement\n"
        "reached: damage on the evaluated images"
        + " · *: off its target, so not equal to the others"
        * off
        + f" · rank: plausible ranks, 1 shifts most (joint {100 * matched.level:g} %)\n"
        "SSIM groups and displacement groups are not comparable" + _UNMATCHED_NOTE * bool(matched.unmatched)
    )


def _damage(group: MatchedGroup) -> str:
    return f"displacement {group.target:g} px" if group.kind == DISPLACEMENT else f"SSIM {group.target:g}"


def _row_cells(row: MatchedRow, damage: str) -> list[str]:
    strength = strength_text(float(f"{row.strength:.4g}"), row.unit)
    reached = format_estimate(row.damage, row.damage_low, row.damage_high) + " *" * row.off_target
    shift = format_estimate(row.shift, row.low, row.high)
    recall = format_estimate(row.recall, row.recall_low, row.recall_high)
    rank = f"{row.best}" if row.best == row.worst else f"{row.best} to {row.worst}"
    return [damage, row.transform, strength, reached, shift, rank, recall, f"{row.n:,}"]


def _group_cells(group: MatchedGroup) -> list[list[str]]:
    damage = _damage(group)
    rows = [_row_cells(row, damage) for row in group.rows]
    reached = [[damage, each.transform, each.why, f"{each.achieved:.4g}"] for each in group.out_of_reach]
    return rows + [[*cells, "out of reach", "", "", ""] for cells in reached]


def _unmatched_cells(matched: Matched) -> list[list[str]]:
    return [
        [
            UNMATCHED,
            row.transform,
            "",
            "",
            format_estimate(row.shift, row.low, row.high),
            "",
            "",
            f"{row.n:,}",
        ]
        for row in matched.unmatched
    ]


def format_matched(matched: Matched, *, style: str) -> str:
    """Format matched transforms as text.

    Args:
        matched: The groups.
        style: A name in `FORMATS` except "table"; "csv" and "json" keep full precision.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "json":
        return write_json(_content(matched))
    if style == "csv":
        return comma_separated(*_columns(matched))
    rows = [cells for group in matched.groups for cells in _group_cells(group)]
    return find_writer(style)(_HEADER, rows + _unmatched_cells(matched))


def _content(matched: Matched) -> dict[str, Any]:
    """Return everything but the damage of single images, which ``match.json`` holds."""
    content = asdict(matched)
    for group in content["groups"]:
        for each in group["out_of_reach"]:
            del each["levels"]
    return content


_EXACT = (
    "strength",
    "unit",
    "damage",
    "damage_low",
    "damage_high",
    "off_target",
    "shift",
    "low",
    "high",
    "best",
    "worst",
    "recall",
    "recall_low",
    "recall_high",
    "n",
)


def _columns(matched: Matched) -> Cells:
    header = ["kind", "target", "transform", "family", *_EXACT, "out_of_reach"]
    rows = list[list[str]]()
    for group in matched.groups:
        own = [group.kind, repr(group.target)]
        rows += [
            [*own, row.transform, row.family, *(format_exact(getattr(row, name)) for name in _EXACT), ""]
            for row in group.rows
        ]
        for each in group.out_of_reach:
            known = {"unit": each.unit, "damage": format_exact(each.achieved)}
            rows.append(
                [*own, each.transform, each.family, *(known.get(name, "") for name in _EXACT), each.why]
            )
    for row in matched.unmatched:
        known = {name: format_exact(getattr(row, name)) for name in ("shift", "low", "high", "n")}
        rows.append([UNMATCHED, "", row.transform, "", *(known.get(name, "") for name in _EXACT), ""])
    return header, rows
