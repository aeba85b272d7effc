"""The headline: one sentence with the finding that matters most."""

import math
from collections.abc import Sequence

from embshift.analysis.strength.matched import MatchedGroup
from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.core.words import count_noun
from embshift.show.report.facts.levels import format_damage
from embshift.show.report.facts.run import Facts
from embshift.show.report.first.estimates import Estimate, format_value
from embshift.show.report.first.shifts import RELATIVE, Shifts, ShownShift
from embshift.show.text.sweep import strength_text
from embshift.show.text.words import join_transforms

__all__ = ["first_losses", "spell_level", "write_headline", "write_matched_headline", "write_sweep_headline"]

_NAMED = 2
"""Transforms that may be furthest and are named beside the first."""

_HALF = 0.5
"""Share of found originals below which a sentence says "only"."""


def write_headline(facts: Facts, shifts: Shifts) -> str:
    """Say which transform moves images furthest, how far, and whether its views still find their original."""
    known = shifts.known
    if not known:
        return "This run holds no defined value, so it does not say how far images move."
    first = known[0]
    size = format_value(first.shift)
    measure = f" {shifts.measure}" if shifts.kind == RELATIVE else f" by {shifts.measure}"
    if len(known) == 1:
        return f"The transform {_name(first)} moves images by {size}{measure}.{_tell_found(first)}"
    if first.shift.value == 0:
        return f"None of {len(known)} transforms moves an image: every shift is 0."
    if known[-1].shift.value == first.shift.value:
        return f"All {len(known)} transforms move images equally far: {size}{measure}.{_tell_found(first)}"
    return (
        f"Of {len(known)} transforms, {_name(first)} moves images furthest: {size}{measure}"
        f"{_tell_rivals(facts, first)}.{_tell_found(first)}"
    )


def _name(row: ShownShift) -> str:
    return join_transforms([row.transform])


def _tell_found(row: ShownShift) -> str:
    if not row.found.known:
        return ""
    if row.found.value == 1:
        return " All of its views still find their original."
    if row.found.value == 0:
        return " None of its views finds its original."
    only = "Only " if row.found.value < _HALF else ""
    return f" {only}{format_value(row.found)} of its views still find their original."


def _tell_rivals(facts: Facts, first: ShownShift) -> str:
    """Name the transforms that may be furthest as well; empty where the first one certainly is."""
    rivals = _find_rivals(facts, first)
    if not rivals:
        return ""
    return f", not certainly further than {_spell_rivals(rivals)}"


def _find_rivals(facts: Facts, first: ShownShift) -> Sequence[str]:
    """Return the other transforms whose joint rank interval reaches the last rank, by the main metric."""
    if facts.main is None:
        return []
    size = len(facts.main.transforms)
    return [
        one.transform for one in facts.main.intervals if one.high == size and one.transform != first.transform
    ]


def first_losses(sweep: Sweep) -> list[Curve]:
    """Return the edits under which originals are lost, the one with the mildest loss first."""
    known = [one for one in sweep.curves if one.censored == "<" or not math.isnan(one.s50)]
    lost = [one for one in known if one.censored != ">"]
    return sorted(lost, key=lambda one: (one.censored != "<", one.s50))


def spell_level(curve: Curve, at: float) -> str:
    """Spell a level, e.g. "severity 2.4" or "12 px"."""
    if curve.axis == "severity":
        return f"severity {at:.3g}"
    return strength_text(float(f"{at:.3g}"), curve.unit)


def write_sweep_headline(sweep: Sweep) -> str:
    """Say which edit is the first to break search: fewer than half of its views find their original."""
    lost = first_losses(sweep)
    edits = count_noun(len(sweep.curves), "edit")
    if all(math.isnan(curve.s50) and not curve.censored for curve in sweep.curves):
        return f"This sweep of {edits} does not say at which level originals are lost."
    if not lost:
        return (
            f"No edit breaks search: at every level of {edits}, at least half of the views still find their"
            f" original among {count_noun(sweep.gallery, 'image')}."
        )
    first = lost[0]
    where = (
        f"already at {spell_level(first, first.at[0])}" if first.censored else spell_level(first, first.s50)
    )
    rivals = [one.transform for one in sweep.curves if one is not first and _may_precede(one, first)]
    doubt = f", not certainly before {_spell_rivals(rivals)}" if rivals else ""
    return (
        f"Of {edits}, {join_transforms([first.transform])} is the first to break search{doubt}:"
        f" {where if first.censored else f'from {where} on'}, fewer than half of its views find their"
        f" original among {count_noun(sweep.gallery, 'image')}."
    )


def _may_precede(one: Curve, first: Curve) -> bool:
    """Return whether the interval of an edit's first loss begins before that of the first edit ends."""
    if one.censored == "<":
        return True
    return not math.isnan(one.s50_low) and one.s50_low <= first.s50_high and one.s50_low <= one.at[-1]


def write_matched_headline(groups: Sequence[MatchedGroup]) -> str:
    """Say which transform moves images furthest at equal damage, and whether that is certain."""
    group = max(groups, key=lambda one: len(one.rows))
    first = group.rows[0]
    shift = format_value(Estimate(value=first.shift, percent=False))
    lost = f" {format_value(Estimate(value=first.recall))} of its views find their original."
    if len(group.rows) == 1:
        return (
            f"Only {join_transforms([first.transform])} reaches {format_damage(group)}; it moves images by"
            f" {shift} (1 − cosine).{lost}"
        )
    rivals = [row.transform for row in group.rows[1:] if row.transform not in first.above]
    doubt = f", not certainly further than {_spell_rivals(rivals)}" if rivals else ""
    return (
        f"At equal damage ({format_damage(group)}), {join_transforms([first.transform])} moves images"
        f" furthest of {count_noun(len(group.rows), 'transform')}: {shift} (1 − cosine){doubt}.{lost}"
    )


def _spell_rivals(names: Sequence[str]) -> str:
    return count_noun(len(names), "other") if len(names) > _NAMED else join_transforms(names, word="or")
