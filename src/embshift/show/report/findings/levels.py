"""Sentences on severity: which edit loses originals first, and which shifts most at equal damage."""

import math
from collections.abc import Sequence

from embshift.analysis.strength.matched import MatchedGroup, MatchedRow
from embshift.analysis.strength.sweep import Curve
from embshift.core.words import count_noun
from embshift.show.report.facts.levels import LevelFacts, format_damage
from embshift.show.text.numbers import spell_number
from embshift.show.text.sweep import strength_text
from embshift.show.text.words import format_interval, join_transforms

__all__ = ["describe_curves", "describe_equal_damage", "describe_first_losses"]

_SHOWN = 3

_UNEVEN = 0.5
"""Mean rank correlation of shift and level below which a curve does not clearly rise."""


def describe_first_losses(levels: LevelFacts) -> str | None:
    """Say at which level fewer than half of the views find their original, the earliest transforms first."""
    if levels.sweep is None:
        return None
    lost = sorted((one for one in levels.sweep.curves if _place(one) is not None), key=_order)
    rest = [one for one in levels.sweep.curves if one.censored == ">"]
    among = f"recall@1 among {count_noun(levels.sweep.gallery, 'image')}"
    if not lost:
        return f"At every level, {among} is at least 50 %." if rest else None
    places = "; ".join(f"{_join([one])} at {_place(one)}" for one in lost[:_SHOWN])
    more = f"; and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    kept = f" It stays at 50 % or above at every level of {_join(rest)}." if rest else ""
    return f"Level at which {among} falls below 50 %: {places}{more}.{kept}"


def _order(curve: Curve) -> tuple[bool, float]:
    return curve.censored != "<", curve.s50


def _place(curve: Curve) -> str | None:
    """Return the level at which half of the views are lost; None if they never are, or it is unknown."""
    if curve.censored == ">" or (not curve.censored and math.isnan(curve.s50)):
        return None
    at = curve.at[0] if curve.censored else curve.s50
    where = (
        f"severity {at:.3g}" if curve.axis == "severity" else strength_text(float(f"{at:.3g}"), curve.unit)
    )
    return f"or below {where}" if curve.censored else where


def describe_curves(levels: LevelFacts) -> str | None:
    """Say which transform shifts most over its levels, and which shifts do not grow with the level."""
    if levels.sweep is None:
        return None
    known = [one for one in levels.sweep.curves if not math.isnan(_area(one))]
    if not known:
        return None
    most, least = max(known, key=_area), min(known, key=_area)
    uneven = [one for one in known if float(one.monotonicity.mean[0]) < _UNEVEN]
    note = (
        f" The shift does not clearly grow with the level for {_join(uneven)} (mean rank correlation below"
        f" {_UNEVEN:g})."
        if uneven
        else ""
    )
    if most is least:
        return f"Averaged over its levels, {_join([most])} has a shift (1 − cosine) of {_shift(most)}.{note}"
    return (
        f"Averaged over all levels, the shift (1 − cosine) is largest for {_join([most])}, {_shift(most)},"
        f" and smallest for {_join([least])}, {_shift(least)}.{note}"
    )


def _area(curve: Curve) -> float:
    return float(curve.area.mean[0])


def _shift(curve: Curve) -> str:
    return spell_number(_area(curve))


def _join(curves: Sequence[Curve]) -> str:
    return join_transforms([one.transform for one in curves])


def describe_equal_damage(levels: LevelFacts) -> str | None:
    """Say which transform shifts most at the greatest damage of each kind, and whether that is certain."""
    if levels.matched is None:
        return None
    last = {group.kind: group for group in levels.matched.groups if len(group.rows) > 1}
    told = [_extremes(group, level=levels.matched.level) for group in last.values()]
    unmatched = [one.transform for one in levels.matched.unmatched if not math.isnan(one.shift)]
    if told and len(unmatched) > 1:
        told.append(f"At the unmatched strengths of the preset paper, the order is {', '.join(unmatched)}.")
    return " ".join(told) or None


def _extremes(group: MatchedGroup, *, level: float) -> str:
    first, second, last = group.rows[0], group.rows[1], group.rows[-1]
    doubt = (
        ""
        if second.transform in first.above
        else f", not certainly more than {join_transforms([second.transform])}"
    )
    return (
        f"At equal damage ({format_damage(group)}), {join_transforms([first.transform])} shifts embeddings"
        f" most among the {len(group.rows)} transforms that reach it: {_estimate(first, level)}{doubt};"
        f" {join_transforms([last.transform])} shifts them least: {_estimate(last, level)}."
    )


def _estimate(row: MatchedRow, level: float) -> str:
    return f"{spell_number(row.shift)} ({format_interval(row.low, row.high, level=level)})"
