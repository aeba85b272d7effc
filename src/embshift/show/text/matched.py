"""Tables of transforms at equal damage: for a terminal, a paper, a spreadsheet, a program."""

from dataclasses import asdict

from rich.table import Table

from embshift.analysis.strength.matched import DISPLACEMENT, Matched, MatchedGroup, MatchedRow
from embshift.show.text.markup import Cells, comma_separated, find_writer, open_table
from embshift.show.text.numbers import format_cell, format_estimate, format_exact, write_json
from embshift.show.text.sweep import strength_text

__all__ = ["UNMATCHED", "format_matched", "matched_table"]

UNMATCHED = "unmatched"
"""Text in the column "damage" for a transform with the strength of the preset "paper"."""

_HEADER = ["damage", "transform", "strength", "reached", "shift", "recall@1", "n"]
_WRAPPED = ("damage", "strength", "shift")

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
    return (
        f"strengths solved on {matched.solved_on:,} images, ranked on {matched.gallery:,} others · shift:"
        f" mean 1 − cosine with its {100 * matched.level:g} % interval\n"
        "SSIM: mean structural similarity of the colour channels · displacement: mean pixel displacement\n"
        "SSIM groups and displacement groups are not comparable" + _UNMATCHED_NOTE * bool(matched.unmatched)
    )


def _damage(group: MatchedGroup) -> str:
    return f"displacement {group.target:g} px" if group.kind == DISPLACEMENT else f"SSIM {group.target:g}"


def _row_cells(row: MatchedRow, damage: str) -> list[str]:
    strength = strength_text(float(f"{row.strength:.4g}"), row.unit)
    shift, recall = format_estimate(row.shift, row.low, row.high), format_cell(row.recall)
    return [damage, row.transform, strength, f"{row.achieved:.4g}", shift, recall, f"{row.n:,}"]


def _group_cells(group: MatchedGroup) -> list[list[str]]:
    damage = _damage(group)
    rows = [_row_cells(row, damage) for row in group.rows]
    reached = [[damage, each.transform, each.why, f"{each.achieved:.4g}"] for each in group.out_of_reach]
    return rows + [[*cells, "out of reach", "", ""] for cells in reached]


def _unmatched_cells(matched: Matched) -> list[list[str]]:
    return [
        [UNMATCHED, row.transform, "", "", format_estimate(row.shift, row.low, row.high), "", f"{row.n:,}"]
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
        return write_json(asdict(matched))
    if style == "csv":
        return comma_separated(*_columns(matched))
    rows = [cells for group in matched.groups for cells in _group_cells(group)]
    return find_writer(style)(_HEADER, rows + _unmatched_cells(matched))


def _columns(matched: Matched) -> Cells:
    names = ["transform", "family", "strength", "unit", "achieved", "shift", "low", "high", "recall", "n"]
    rows = list[list[str]]()
    for group in matched.groups:
        own = [group.kind, repr(group.target)]
        for row in group.rows:
            rows.append([*own, *(format_exact(getattr(row, name)) for name in names), ""])
        for each in group.out_of_reach:
            reached = [
                each.transform,
                each.family,
                "",
                each.unit,
                format_exact(each.achieved),
                "",
                "",
                "",
                "",
                "",
            ]
            rows.append([*own, *reached, each.why])
    for row in matched.unmatched:
        shift = [format_exact(value) for value in (row.shift, row.low, row.high)]
        rows.append([UNMATCHED, "", row.transform, "", "", "", "", *shift, "", str(row.n), ""])
    return ["kind", "target", *names, "out_of_reach"], rows
