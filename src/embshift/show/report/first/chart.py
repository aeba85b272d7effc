"""The first chart: one row for each transform, on one scale, ready for the page."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from embshift.analysis.strength.matched import Matched, MatchedGroup, MatchedRow
from embshift.core.words import count_noun
from embshift.runs.tables import RunTables
from embshift.show.report.facts.levels import format_damage
from embshift.show.report.facts.run import Facts
from embshift.show.report.first.estimates import Estimate, list_estimate
from embshift.show.report.first.shifts import RELATIVE, Shifts
from embshift.show.report.first.typical import list_typical_views
from embshift.show.report.parts.palette import transform_colours
from embshift.show.report.parts.rounding import round_value
from embshift.show.text.words import format_percent, make_visible

__all__ = ["build_matched_chart", "build_shift_chart", "list_ticks"]

_WHOLE = 0.25
"""Largest relative shift from which on the scale reaches the distance between two different images."""

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


def build_shift_chart(run: RunTables, facts: Facts, shifts: Shifts) -> dict[str, Any]:
    """Return the chart of a run whose transforms have one strength each."""
    relative = shifts.kind == RELATIVE
    views = list_typical_views(run, facts, [row.transform for row in shifts.rows])
    colours = dict(zip(facts.transforms, transform_colours(facts.transforms), strict=True))
    rows = [
        _row(
            row.transform,
            shift=row.shift,
            found=row.found,
            colour=colours[row.transform],
            view=views.get(row.transform),
        )
        | {"transform": facts.transforms.index(row.transform)}
        for row in shifts.rows
    ]
    what = "Shift, relative to the distance between two images" if relative else "Shift"
    return {
        "kind": "shifts",
        "title": what if relative else f"Shift by {shifts.measure}",
        "note": _write_note(shifts, facts=facts, views=views),
        "found": _head_found(shifts.gallery),
        "groups": [{"title": "", "rows": rows}],
        **_scale([row.shift for row in shifts.rows], relative=relative),
    }


def _write_note(shifts: Shifts, *, facts: Facts, views: Mapping[str, Any]) -> str:
    bounded = any(row.shift.bounded for row in shifts.rows)
    parts = ["Bar: mean over images." if facts.measured > 1 else "Bar: the one image."]
    parts += [f"Line: {format_percent(facts.level)} interval."] if bounded else []
    parts += ["0: no shift. 100 %: as far as another image."] if shifts.kind == RELATIVE else ["0: no shift."]
    if views:
        parts.append("Images: an original and its view, with a shift close to the median.")
    return " ".join(parts)


def _head_found(gallery: int) -> str:
    return f"found among {gallery:,}" if gallery else ""


def _row(
    name: str,
    *,
    shift: Estimate,
    found: Estimate,
    colour: Mapping[str, str],
    view: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "name": make_visible(name),
        "colour": colour,
        "shift": list_estimate(shift),
        "found": list_estimate(found) if found.known else None,
        "view": view,
        "transform": None,
    }


def _scale(shifts: Sequence[Estimate], *, relative: bool) -> dict[str, Any]:
    """Return the end of the axis and its ticks, and where different images stand on it."""
    ends = [end for one in shifts for end in (one.value, one.high) if not math.isnan(end)]
    most = max(ends, default=0.0)
    most = max(most, 1.0) if relative and most >= _WHOLE else most
    top, ticks = list_ticks(most, percent=relative)
    return {"top": round_value(top), "ticks": ticks, "reference": 1.0 if relative and top >= 1.0 else None}


def list_ticks(most: float, *, percent: bool) -> tuple[float, list[dict[str, Any]]]:
    """Return the end of an axis from 0 and its ticks, four or five round numbers of which cover a value."""
    if most <= 0:
        return 1.0, [{"at": 0.0, "text": "0"}]
    size = 10.0 ** math.floor(math.log10(most / 4))
    step = next(one * size for one in _STEPS if one * size * 4 >= most * (1 - 1e-9))
    count = math.ceil(most / step - 1e-9)
    ticks = [
        {
            "at": round_value(at * step / max(most, count * step)),
            "text": f"{100 * at * step:g} %" if percent else f"{at * step:g}",
        }
        for at in range(count + 1)
    ]
    ticks[0]["text"] = "0"
    return max(most, count * step), ticks


def build_matched_chart(run: RunTables, facts: Facts, matched: Matched) -> dict[str, Any]:
    """Return the chart of a matched run: the greatest damage of each kind."""
    groups = list_greatest(matched)
    levels = [(group, row, _find_level(run, group, row)) for group in groups for row in group.rows]
    views = list_typical_views(run, facts, [level for _, _, level in levels if level])
    return {
        "kind": "shifts",
        "title": "Shift (1 − cosine) at equal damage",
        "note": (
            f"Bar: mean over images. Line: {format_percent(matched.level)} interval. 0: no shift. Other"
            " amounts of damage are under What it means."
        ),
        "found": _head_found(matched.gallery),
        "groups": [
            {
                "title": _title(group),
                "rows": [_matched_row(row, views.get(level)) for of, row, level in levels if of is group],
            }
            for group in groups
        ],
        **_scale([_shift(row) for _, row, _ in levels], relative=False),
    }


def list_greatest(matched: Matched) -> list[MatchedGroup]:
    """Return the group of greatest damage of each kind that any transform reaches."""
    return list({group.kind: group for group in matched.groups if group.rows}.values())


def _title(group: MatchedGroup) -> str:
    left = len(group.out_of_reach)
    rest = f"; {count_noun(left, 'transform')} cannot reach it" if left else ""
    return f"At {format_damage(group)}{rest}"


def _shift(row: MatchedRow) -> Estimate:
    return Estimate(value=row.shift, low=row.low, high=row.high, percent=False)


def _matched_row(row: MatchedRow, view: Mapping[str, Any] | None) -> dict[str, Any]:
    found = Estimate(value=row.recall, low=row.recall_low, high=row.recall_high)
    colour = transform_colours([row.transform])[0]
    return _row(row.transform, shift=_shift(row), found=found, colour=colour, view=view)


def _find_level(run: RunTables, group: MatchedGroup, row: MatchedRow) -> str:
    """Return the name in the plan of the level nearest to the strength of a row; empty if there is none."""
    levels = [
        (abs(one["strength"] - row.strength), one["name"])
        for one in run.info["plan"]["transforms"]
        if one.get("target") == row.transform and one.get("strength") is not None
    ]
    return min(levels)[1] if levels else ""
