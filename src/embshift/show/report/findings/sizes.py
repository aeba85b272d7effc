"""Sentences on the size of the shift relative to the distance between different images."""

import math
from dataclasses import dataclass

from embshift.core.words import count_noun
from embshift.show.report.facts.run import Facts, find_main_metric
from embshift.show.report.findings.left_out import name_left_out
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import format_interval, format_percent, join_transforms, spell_metric

__all__ = ["describe_relative_size"]

_SAME = 1e-12
"""Distances up to this are 0: embeddings of equal direction differ by rounding only."""


def describe_relative_size(facts: Facts) -> str | None:
    """Compare the largest and the smallest shift with the mean distance between different images."""
    if find_main_metric(facts.metrics) is None or not facts.keeps_embeddings:
        return None
    use = next((name for name in ("cosine", "l2") if name in facts.statistics.metrics), None)
    if use is None:
        return None
    apart = facts.separation.cosine if use == "cosine" else facts.separation.l2
    if math.isnan(apart) or apart <= _SAME:
        return (
            "No two different images have different embeddings, so the shift cannot be compared with the"
            " distance between images."
        )
    shifts = _shifts(facts, use)
    if not shifts:
        return None
    what = "cosine distance, 1 − cosine" if use == "cosine" else "L2 distance"
    pairs = facts.separation.cosine_pairs if use == "cosine" else facts.separation.l2_pairs
    compared = [_compare(one, facts, apart=apart) for one in dict.fromkeys((shifts[0], shifts[-1]))]
    without = [name for name in facts.transforms if name not in [one.transform for one in shifts]]
    left_out = name_left_out(without, why=f"no value of {spell_metric(use)}")
    return (
        f"The embeddings of two different images are {spell_number(apart)} apart on average ({what},"
        f" {count_noun(pairs, 'pair')}). In comparison, {'; '.join(compared)}.{left_out}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shift:
    transform: str
    mean: float
    low: float
    high: float


def _shifts(facts: Facts, metric: str) -> list[_Shift]:
    """Return mean distances with their intervals, the largest first."""
    found = _cosine_shifts(facts) if metric == "cosine" else _l2_shifts(facts)
    return sorted((one for one in found if not math.isnan(one.mean)), key=lambda one: -one.mean)


def _l2_shifts(facts: Facts) -> list[_Shift]:
    at, found = facts.statistics.metrics.index("l2"), facts.statistics.means
    rows = zip(facts.transforms, found.mean[:, at], found.low[:, at], found.high[:, at], strict=True)
    return [_shift(*row) for row in rows]


def _cosine_shifts(facts: Facts) -> list[_Shift]:
    """Return ½‖z − z′‖² as in the tables; 1 − cosine, without its rounding, where a run is too large."""
    if facts.embeddings is not None:
        measured = facts.embeddings.calibration
        return [
            _shift(name, measured.mean(name, "cosine_shift"), *measured.interval(name, "cosine_shift"))
            for name in measured.transforms
        ]
    at, found = facts.statistics.metrics.index("cosine"), facts.statistics.means
    rows = zip(facts.transforms, found.mean[:, at], found.high[:, at], found.low[:, at], strict=True)
    return [_shift(name, *(_distance(float(one)) for one in numbers)) for name, *numbers in rows]


def _distance(cosine: float) -> float:
    return 0.0 if abs(1 - cosine) <= _SAME else 1 - cosine


def _shift(transform: str, mean: float, low: float, high: float) -> _Shift:
    return _Shift(transform=transform, mean=float(mean), low=float(low), high=float(high))


def _compare(one: _Shift, facts: Facts, *, apart: float) -> str:
    # The interval is that of the shift: none is known for the mean distance between images.
    ends, part = format_interval(one.low, one.high, level=facts.level), format_percent(one.mean / apart)
    name = join_transforms([one.transform])
    return f"{name} moves an image by {spell_number(one.mean)} ({ends}), {part} of that"
