"""Shifts for the first chart: how far each transform moves images, and whether originals are found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embshift.core.types import MetricSpec
from embshift.show.report.facts.run import Facts, find_main_metric
from embshift.show.report.first.estimates import Estimate
from embshift.show.text.words import spell_metric

__all__ = ["RELATIVE", "Shifts", "ShownShift", "find_recall", "rank_shifts"]

RELATIVE = "relative"

_SAME = 1e-12
"""Distances up to this are 0: embeddings of equal direction differ by rounding only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownShift:
    """One transform of the chart.

    Attributes:
        transform: Its name.
        shift: How far it moves images.
        found: Share of its views whose own original is the nearest of all originals.
    """

    transform: str
    shift: Estimate
    found: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Shifts:
    """All transforms, the largest shift first; those without a value are last.

    Attributes:
        kind: "relative" for shifts as a share of the mean distance between two different images; else
            "metric", for distances by one metric.
        measure: What is shown, in words.
        rows: The transforms.
        gallery: Number of originals among which a view's own is sought; 0 where it is not sought.
    """

    kind: str
    measure: str
    rows: tuple[ShownShift, ...]
    gallery: int

    @property
    def known(self) -> tuple[ShownShift, ...]:
        """The transforms with a value."""
        return tuple(row for row in self.rows if row.shift.known)


def rank_shifts(facts: Facts) -> Shifts:
    """Return the shifts of a run relative to the distance between images, or by a metric where that fails."""
    found = _measured(facts) or _divided(facts)
    if found is not None:
        measure = "of the mean distance between two different images"
        return Shifts(kind=RELATIVE, measure=measure, rows=_sort(found), gallery=_count_gallery(facts))
    spec = find_main_metric(facts.metrics) or next(iter(facts.metrics), None)
    if spec is None:
        return Shifts(kind="metric", measure="", rows=(), gallery=0)
    rows = _by_metric(facts, spec)
    return Shifts(
        kind="metric", measure=_name_distance(spec), rows=_sort(rows), gallery=_count_gallery(facts)
    )


def _sort(rows: Sequence[ShownShift]) -> tuple[ShownShift, ...]:
    return tuple(sorted(rows, key=lambda row: (not row.shift.known, -row.shift.value)))


def _count_gallery(facts: Facts) -> int:
    return 0 if facts.embeddings is None else facts.embeddings.retrieval.images


def _measured(facts: Facts) -> list[ShownShift] | None:
    """Return the measured relative shifts; None where they were not measured, or none is defined."""
    if facts.embeddings is None:
        return None
    found = facts.embeddings.calibration
    rows = [
        ShownShift(
            transform=name,
            shift=_estimate(found.mean(name, "relative_shift"), found.interval(name, "relative_shift")),
            found=find_recall(facts, name),
        )
        for name in facts.transforms
    ]
    return rows if any(row.shift.known for row in rows) else None


def find_recall(facts: Facts, name: str) -> Estimate:
    """Return the share of a transform's views that find their original; unknown where it was not measured."""
    if facts.embeddings is None:
        return Estimate(value=math.nan)
    found = facts.embeddings.retrieval
    return _estimate(found.mean(name, "recall_at_1"), found.interval(name, "recall_at_1"))


def _estimate(value: float, ends: tuple[float, float]) -> Estimate:
    return Estimate(value=value, low=ends[0], high=ends[1])


def _divided(facts: Facts) -> list[ShownShift] | None:
    """Return mean cosine shifts over the mean distance of all pairs, for runs too large to measure each."""
    apart, names = facts.separation.cosine, facts.statistics.metrics
    if "cosine" not in names or math.isnan(apart) or apart <= _SAME:
        return None
    at, means = names.index("cosine"), facts.statistics.means
    # The interval is that of the shift: that of the distance between images is far narrower.
    rows = [
        ShownShift(
            transform=name,
            shift=Estimate(
                value=_share(means.mean[row, at], apart),
                low=_share(means.high[row, at], apart),
                high=_share(means.low[row, at], apart),
            ),
            found=find_recall(facts, name),
        )
        for row, name in enumerate(facts.transforms)
    ]
    return rows if any(row.shift.known for row in rows) else None


def _share(cosine: float, apart: float) -> float:
    shift = 1 - float(cosine)
    return 0.0 if abs(shift) <= _SAME else shift / apart


def _by_metric(facts: Facts, spec: MetricSpec) -> list[ShownShift]:
    """Return distances of mean values from the value of no shift."""
    at, means = facts.statistics.metrics.index(spec.name), facts.statistics.means
    rows = list[ShownShift]()
    for row, name in enumerate(facts.transforms):
        ends = [abs(float(end[row, at]) - spec.identity) for end in (means.low, means.high)]
        shift = Estimate(
            value=abs(float(means.mean[row, at]) - spec.identity),
            low=float(np.min(ends)),
            high=float(np.max(ends)),
            percent=False,
        )
        rows.append(ShownShift(transform=name, shift=shift, found=find_recall(facts, name)))
    return rows


def _name_distance(spec: MetricSpec) -> str:
    if spec.identity == 0:
        return spell_metric(spec.name)
    return f"{spec.identity:g} − {spell_metric(spec.name)}"
