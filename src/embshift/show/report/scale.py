"""Sentences beside the order: how large the shift is, what failed, what is undefined, what to beware of."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from embshift.core.types import Capture
from embshift.show.report.beyond import above_floor, found_again, kept_arrangement, passed_neighbours, undone
from embshift.show.report.facts import Facts, main_metric
from embshift.show.report.findings import (
    certain_ends,
    certain_order,
    disagreement,
    most_and_least,
    no_embedding,
)
from embshift.show.report.levels import at_equal_damage, curves_rise, lost_first
from embshift.show.report.text import (
    counted,
    interval_text,
    named,
    number,
    percent,
    shortened,
    spoken,
    visible,
)

__all__ = [
    "beside_others",
    "failures",
    "few_pictures",
    "measured",
    "not_attention",
    "sentences",
    "undefined",
    "unfinished",
]

_FEW = 30


def measured(facts: Facts) -> str:
    """What was measured, with what."""
    encoder = shortened(visible(facts.info["encoder"].get("name", "an unnamed encoder")))
    views = counted(len(facts.transforms), "transform")
    return (
        f"{counted(facts.measured, 'picture')} under {views},"
        f" by {counted(len(facts.metrics), 'metric')}, with the encoder {encoder}."
    )


def unfinished(facts: Facts) -> str | None:
    """That the run goes on; None where it is finished."""
    if facts.info.get("state") == "finished":
        return None
    return "The run is not finished: these are the pictures measured so far, and the numbers will change."


def beside_others(facts: Facts) -> str | None:
    """How large the shift is beside the mean distance between different pictures."""
    if main_metric(facts.metrics) is None:
        return None
    use = next((name for name in ("cosine", "l2") if name in facts.statistics.metrics), None)
    if use is None:
        return None
    apart = facts.separation.cosine if use == "cosine" else facts.separation.l2
    if math.isnan(apart) or apart <= 0:
        return (
            "There are no two different pictures whose embeddings differ, so the shift cannot be set beside"
            " the distance between pictures."
        )
    shifts = _shifts(facts, use)
    if not shifts:
        return None
    what = "cosine distance, 1 − cosine" if use == "cosine" else "L2 distance"
    pairs = facts.separation.cosine_pairs if use == "cosine" else facts.separation.l2_pairs
    start = f"Two different pictures are on average {number(apart)} apart ({what}, {counted(pairs, 'pair')})."
    told = [_beside(one, facts, apart=apart) for one in dict.fromkeys((shifts[0], shifts[-1]))]
    return f"{start} Beside that, {'; '.join(told)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shift:
    transform: str
    mean: float
    low: float
    high: float


def _shifts(facts: Facts, metric: str) -> list[_Shift]:
    """Mean distances with their intervals; the largest first."""
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


def _beside(one: _Shift, facts: Facts, *, apart: float) -> str:
    """A mean shift, and which share that is; the interval is the shift's: of the other mean none is known."""
    ends, part = interval_text(one.low, one.high, level=facts.level), percent(one.mean / apart)
    return f"{named([one.transform])} moves a picture by {number(one.mean)} ({ends}), {part} of it"


def failures(facts: Facts) -> str:
    """How many inputs and views could not be used."""
    inputs = sum(facts.inputs.values())
    failed = inputs - facts.inputs.get("ok", 0)
    tried, lost = facts.views
    if not inputs:
        return "No input was listed."
    if not failed and not lost:
        return f"Nothing failed: {_all(inputs, 'input')} and {_all(tried, 'view')} could be used."
    reasons = sorted((status, n) for status, n in facts.inputs.items() if status != "ok")
    why = f" ({listed_reasons(reasons)})" if reasons else ""
    return (
        f"{failed:,} of {counted(inputs, 'input')} could not be used{why}, and {lost:,} of"
        f" {counted(tried, 'view')} have no embedding; they are left out of every mean."
    )


def _all(count: int, noun: str) -> str:
    return f"the one {noun}" if count == 1 else f"all {count:,} {noun}s"


def listed_reasons(reasons: Sequence[tuple[str, int]]) -> str:
    """Statuses with their counts."""
    return ", ".join(f"{visible(status)}: {n:,}" for status, n in reasons)


def undefined(facts: Facts) -> str | None:
    """How many values are undefined, and where most of them are; None where there are none."""
    counts = facts.values.undefined.sum(axis=0)
    total = int(counts.sum())
    if not total:
        return None
    transform, metric = np.unravel_index(int(counts.argmax()), counts.shape)
    most = f"{named([facts.transforms[transform]])} by {spoken(facts.metrics[metric].name)}"
    return (
        f"{counted(total, 'value')} {'is' if total == 1 else 'are'} undefined and left out of the means,"
        f" most of them {most} ({int(counts.max()):,})."
    )


def few_pictures(facts: Facts) -> str | None:
    """That there are few pictures; None where there are not."""
    n = facts.measured
    if n >= _FEW or not n:
        return None
    if n == 1:
        return "One picture was measured: there are no intervals, and no order of transforms is certain."
    return (
        f"Only {counted(n, 'picture')} stand behind these numbers: intervals from so few are narrower than"
        " they should be."
    )


def not_attention(facts: Facts) -> str | None:
    """What the encoder's map is, where it is no attention map and a metric compares it."""
    name = facts.summary.map_name
    takes = any(Capture.ATTENTION in spec.needs for spec in facts.metrics)
    if not takes or name == "attention map":
        return None
    return f"Where attention is named, the map of this encoder is compared, which is its {visible(name)}."


_ALL: Sequence[tuple[str, Callable[[Facts], str | None]]] = (
    ("measured", measured),
    ("unfinished", unfinished),
    ("most and least", no_embedding),
    ("most and least", most_and_least),
    ("certain ends", certain_ends),
    ("order", certain_order),
    ("scale", beside_others),
    ("found again", lambda facts: found_again(facts.beyond)),
    ("neighbours", lambda facts: passed_neighbours(facts.beyond)),
    ("floor", lambda facts: above_floor(facts.beyond)),
    ("direction", lambda facts: undone(facts.beyond)),
    ("structure", lambda facts: kept_arrangement(facts.beyond)),
    ("lost first", lambda facts: lost_first(facts.levels)),
    ("curves", lambda facts: curves_rise(facts.levels)),
    ("equal damage", lambda facts: at_equal_damage(facts.levels)),
    ("metrics", disagreement),
    ("failures", failures),
    ("undefined", undefined),
    ("few", few_pictures),
    ("map", not_attention),
)


def sentences(facts: Facts) -> list[dict[str, str]]:
    """All sentences that hold for a run, in order, each with what it is about."""
    told = [(about, say(facts)) for about, say in _ALL]
    return [{"about": about, "text": text} for about, text in told if text]
