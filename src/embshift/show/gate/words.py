"""A check in words: the same in every output."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from embshift.core.words import count_noun
from embshift.show.text.numbers import spell_beside, spell_number

__all__ = [
    "Check",
    "Content",
    "headline",
    "name_check",
    "rank_checks",
    "sentence",
    "spell_bound",
    "spell_value",
]

Content: TypeAlias = Mapping[str, Any]
"""The JSON record of a check."""

Check: TypeAlias = Mapping[str, Any]
"""One of its checks."""

_SIGNS = {"at_most": "≤", "at_least": "≥", "worse_by_at_most": "worse by ≤"}


def name_check(check: Check) -> str:
    """Return what was held against what limit, e.g. "recall_at_1(jpeg) ≥ 0.98"."""
    where = "" if check["transform"] is None else f"({check['transform']})"
    limit = abs(check["limit"]) if check["kind"] == "worse_by_at_most" else check["limit"]
    return f"{check['statistic']}{where} {_SIGNS[check['kind']]} {limit:g}"


def sentence(check: Check) -> str:
    """Return the numbers behind a verdict."""
    value = spell_value(check)
    if check["kind"] == "worse_by_at_most":
        value = f"{_spell(check['baseline_mean'])} → {_spell(check['run_mean'])}, difference {value}"
    if check["scope"] == "transforms":
        value += f", bound {spell_bound(check)}, {count_noun(check['n'], 'image')}"
    else:
        value += f", {count_noun(check['n'], 'image')}"
    text = f"{check['verdict']}: {name_check(check)}; it is {value}"
    if check["reason"]:
        text += f"; {check['reason']}"
    if check["images_needed"]:
        text += f"; about {count_noun(check['images_needed'], 'image')} would decide"
    return text


def spell_value(check: Check) -> str:
    """Return the value, with as many digits as show on which side of its limit it lies."""
    return _spell_beside(check["value"], check)


def spell_bound(check: Check) -> str:
    """Return the bound that decided, likewise: the joint one of a broken budget, else the other one."""
    return _spell_beside(check["joint_bound"] if check["verdict"] == "broken" else check["bound"], check)


def _spell_beside(value: float | None, check: Check) -> str:
    return "undefined" if value is None else spell_beside(value, check["limit"])


def _spell(value: float | None) -> str:
    return "undefined" if value is None else spell_number(value)


def headline(content: Content) -> str:
    """Return the result in one line."""
    counts = content["counts"]
    parts = [f"{counts[name]:,} {word}" for name, word in _COUNTED.items() if counts[name]]
    text = (
        f"{_RESULTS[content['verdict']]}: {', '.join(parts)} of {count_noun(len(content['checks']), 'check')}"
    )
    if content["null"]:
        text += f" of the run against itself; {count_noun(content['skipped'], 'absolute budget')} skipped"
    return text


_COUNTED = {"broken": "broken", "undecided": "undecided", "holds": "held"}
_RESULTS = {"holds": "all budgets hold", "broken": "a budget is broken", "undecided": "not decided"}
_ORDER = {"broken": 0, "undecided": 1, "holds": 2}


def rank_checks(content: Content) -> Sequence[Check]:
    """Return the checks, the worst first: broken, then undecided, each by how far it is beyond its limit."""
    return sorted(content["checks"], key=lambda check: (_ORDER[check["verdict"]], -_excess(check)))


def _excess(check: Check) -> float:
    """Return by how much of its limit a value is worse than the limit."""
    value, limit = check["value"], check["limit"]
    if value is None:
        return float("inf")
    # A difference is worse upwards unless its limit is below 0.
    upper = check["kind"] == "at_most" or (check["kind"] == "worse_by_at_most" and limit > 0)
    apart = value - limit if upper else limit - value
    scale = abs(limit) if upper or check["kind"] == "worse_by_at_most" else max(1 - limit, 1e-3)
    return apart / max(scale, 1e-12)
