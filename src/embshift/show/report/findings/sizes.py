"""Sentences on the size of the shift relative to the distance between different images."""

import math
from dataclasses import dataclass

from embshift.core.words import count_noun
from embshift.show.report.facts.run import Facts, find_main_metric
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import format_interval, format_percent, join_transforms

__all__ = ["describe_relative_size"]


def describe_relative_size(facts: Facts) -> str | None:
    """Compare the largest and the smallest shift with the mean distance between different images."""
    if find_main_metric(facts.metrics) is None:
        return None
    use = next((name for name in ("cosine", "l2") if name in facts.statistics.metrics), None)
    if use is None:
        return None
    apart = facts.separation.cosine if use == "cosine" else facts.separation.l2
    if math.isnan(apart) or apart <= 0:
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
    return (
        f"The embeddings of two different images are {spell_number(apart)} apart on average ({what},"
        f" {count_noun(pairs, 'pair')}). In comparison, {'; '.join(compared)}."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shift:
    transform: str
    mean: float
    low: float
    high: float


def _shifts(facts: Facts, metric: str) -> list[_Shift]:
    """Return mean distances with their intervals, the largest first."""
    at, found = facts.statistics.metrics.index(metric), facts.statistics.means
    mean, low, high = found.mean[:, at], found.low[:, at], found.high[:, at]
    if metric == "cosine":
        mean, low, high = 1 - mean, 1 - high, 1 - low
    rows = [
        _Shift(transform=name, mean=float(mean[row]), low=float(low[row]), high=float(high[row]))
        for row, name in enumerate(facts.transforms)
        if not math.isnan(mean[row])
    ]
    return sorted(rows, key=lambda one: -one.mean)


def _compare(one: _Shift, facts: Facts, *, apart: float) -> str:
    # The interval is that of the shift: none is known for the mean distance between images.
    ends, part = format_interval(one.low, one.high, level=facts.level), format_percent(one.mean / apart)
    name = join_transforms([one.transform])
    return f"{name} moves an image by {spell_number(one.mean)} ({ends}), {part} of that"
