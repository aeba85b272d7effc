"""Sentences on severity: which edit loses originals first, and which shifts most at equal damage."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from embshift.analysis.of_run import analyse_matched, analyse_sweep
from embshift.analysis.strength.matched import DISPLACEMENT, Matched, MatchedGroup, MatchedRow
from embshift.analysis.strength.sweep import Curve, Sweep, swept_levels
from embshift.core.errors import RunError
from embshift.runs.tables import RunTables
from embshift.show.report.beyond import MOST
from embshift.show.report.text import interval_text, listed, named, number, shortened, visible
from embshift.show.text.sweep import strength_text

__all__ = ["Levels", "at_equal_damage", "curves_rise", "damage_text", "lost_first", "measure_levels"]

_UNEVEN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Levels:
    """What a run with severities or strengths is about.

    Attributes:
        sweep: Curves over severity; None for a run without them.
        matched: Transforms at equal damage; None for any other run.
    """

    sweep: Sweep | None = None
    matched: Matched | None = None


def measure_levels(run: RunTables, *, images: int, resamples: int) -> Levels:
    """Curves of a run of ``embshift sweep``, groups of a run of ``embshift match``; nothing of another.

    Args:
        run: The run.
        images: Its pictures; beyond 100,000 nothing is taken, for all originals are held in memory.
        resamples: Resamples of the images.
    """
    if not 2 <= images <= MOST:
        return Levels()
    if (run.folder / "match.json").is_file():
        try:
            return Levels(matched=analyse_matched(run, resamples=resamples))
        except RunError:  # a report is of what the folder holds, and the numbers of the run stand
            return Levels()
    levels = swept_levels(run.info)
    if len({one.transform for one in levels}) == len(levels):  # no transform has more than one level
        return Levels()
    return Levels(sweep=analyse_sweep(run, resamples=resamples))


def lost_first(levels: Levels) -> str | None:
    """At which level half of the views no longer find their original, the earliest transforms first."""
    if levels.sweep is None:
        return None
    lost = sorted((one for one in levels.sweep.curves if _place(one) is not None), key=_order)
    rest = [one for one in levels.sweep.curves if one.censored == ">"]
    among = f"among {levels.sweep.gallery:,} pictures"
    kept = f"Half or more find it at every level of {_named(rest)}." if rest else ""
    if not lost:
        return f"At no level do half of the views lose their original {among}." if rest else None
    told = "; ".join(f"{_named([one])} at {_place(one)}" for one in lost[:3])
    more = f"; and {len(lost) - 3} more" if len(lost) > 3 else ""
    return f"Half of the views no longer find their original {among} first for {told}{more}. {kept}".strip()


def _order(curve: Curve) -> tuple[bool, float]:
    return curve.censored != "<", curve.s50


def _place(curve: Curve) -> str | None:
    """Where half of the views are lost, in words; None where they never are, or it is not known."""
    if curve.censored == ">" or (not curve.censored and math.isnan(curve.s50)):
        return None
    at = curve.at[0] if curve.censored else curve.s50
    where = (
        f"severity {at:.3g}" if curve.axis == "severity" else strength_text(float(f"{at:.3g}"), curve.unit)
    )
    return f"or below {where}" if curve.censored else where


def curves_rise(levels: Levels) -> str | None:
    """Which transform shifts most over its levels, and which does not shift more as it grows stronger."""
    if levels.sweep is None:
        return None
    known = [one for one in levels.sweep.curves if not math.isnan(_area(one))]
    if not known:
        return None
    most, least = max(known, key=_area), min(known, key=_area)
    uneven = [one for one in known if one.monotonicity < _UNEVEN]
    note = (
        f" The shift does not clearly grow with the level under {_named(uneven)} (mean rank correlation below"
        f" {_UNEVEN:g})."
        if uneven
        else ""
    )
    if most is least:
        return (
            f"Over its levels {_named([most])} shifts by {number(_area(most))} on average (1 − cosine).{note}"
        )
    return (
        f"Over all levels {_named([most])} shifts most, by {number(_area(most))} on average (1 − cosine), and"
        f" {_named([least])} least, by {number(_area(least))}.{note}"
    )


def _area(curve: Curve) -> float:
    return float(curve.area.mean[0])


def _named(curves: Sequence[Curve]) -> str:
    return listed([shortened(visible(one.transform)) for one in curves])


def at_equal_damage(levels: Levels) -> str | None:
    """Which transform shifts most at the greatest damage of each kind, and whether that is certain."""
    if levels.matched is None:
        return None
    last = {group.kind: group for group in levels.matched.groups if len(group.rows) > 1}
    told = [_ends(group, level=levels.matched.level) for group in last.values()]
    unmatched = [one.transform for one in levels.matched.unmatched if not math.isnan(one.shift)]
    if told and len(unmatched) > 1:
        told.append(f"Unmatched, as the preset paper sets them, the order is {', '.join(unmatched)}.")
    return " ".join(told) or None


def _ends(group: MatchedGroup, *, level: float) -> str:
    first, second, last = group.rows[0], group.rows[1], group.rows[-1]
    doubt = "" if first.low > second.high else f", an interval that meets that of {named([second.transform])}"
    return (
        f"At equal damage ({damage_text(group)}) {named([first.transform])} shifts most of the"
        f" {len(group.rows)} transforms that reach it, by {_by(first, level)}{doubt}, and"
        f" {named([last.transform])} least, by {_by(last, level)}."
    )


def _by(row: MatchedRow, level: float) -> str:
    return f"{number(row.shift)} ({interval_text(row.low, row.high, level=level)})"


def damage_text(group: MatchedGroup) -> str:
    """What damage a group is of, in words."""
    if group.kind == DISPLACEMENT:
        return f"pixels moved by {group.target:g} px on average"
    return f"structural similarity {group.target:g}"
