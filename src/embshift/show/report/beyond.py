"""Sentences on what a shift amounts to: originals found, neighbours passed, shift undone, order kept."""

import math
from dataclasses import dataclass

from embshift.analysis.between_runs import find_floors
from embshift.analysis.embeddings.direction import removals
from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.of_run import analyse_direction, analyse_retrieval, analyse_structure, calibrate_shifts
from embshift.runs.tables import RunTables
from embshift.show.report.text import counted, named, number, percent

__all__ = [
    "MOST",
    "SAMPLE",
    "Beyond",
    "above_floor",
    "found_again",
    "kept_arrangement",
    "measure_beyond",
    "passed_neighbours",
    "undone",
]

MOST = 100_000
"""Pictures above which these measurements are not taken for a report: each holds all originals in memory."""

SAMPLE = 2_000
"""Pictures that are asked about, or taken, where there are more, a seeded sample."""

ARRANGED, PERMUTATIONS = 500, 5
"""Pictures that the arrangement is compared on, and permutations of its chance values: it costs most."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beyond:
    """Measurements of the embeddings themselves.

    Attributes:
        calibration: Shifts against the distances between pictures.
        retrieval: How well views find their originals.
        direction: Whether a transform moves all pictures the same way.
        structure: Whether the pictures keep their arrangement.
    """

    calibration: Measured
    retrieval: Measured
    direction: Measured
    structure: Measured


def measure_beyond(run: RunTables, *, images: int) -> Beyond | None:
    """Take the measurements; None where there are too few pictures to compare, or very many.

    Args:
        run: The run.
        images: Its pictures.
    """
    if not 2 <= images <= MOST or not run.transforms:
        return None
    sample = SAMPLE if images > SAMPLE else None
    return Beyond(
        calibration=calibrate_shifts(run, queries=sample, floors=find_floors(run)),
        retrieval=analyse_retrieval(run, queries=sample),
        direction=analyse_direction(run, images=sample),
        structure=analyse_structure(run, images=min(images, ARRANGED), permutations=PERMUTATIONS),
    )


def found_again(beyond: Beyond | None) -> str | None:
    """Which views no longer find their original first among all."""
    if beyond is None:
        return None
    found = beyond.retrieval
    known = _known(found, "recall_at_1")
    if not known:
        return None
    among = f"among {counted(found.images, 'picture')}"
    lost = sorted((name for name, mean in known.items() if mean < 1), key=known.__getitem__)
    if not lost:
        return f"Every view finds its original first {among}."
    told = "; ".join(f"{named([name])} {_share(found, name, 'recall_at_1')}" for name in lost[:3])
    more = f"; and {len(lost) - 3} more transforms below all" if len(lost) > 3 else ""
    rest = len(known) - len(lost)
    others = f" Under the other {counted(rest, 'transform')} every view does." if rest else ""
    return f"Views find their original first {among} in this share of cases: {told}{more}.{others}"


def passed_neighbours(beyond: Beyond | None) -> str | None:
    """Where the shift is larger than the distance to the nearest other picture."""
    if beyond is None:
        return None
    found = beyond.calibration
    known = _known(found, "neighbour_ratio")
    if not known:
        return None
    far = sorted((name for name, mean in known.items() if mean > 1), key=lambda name: -known[name])
    unit = "in units of the distance to a picture's nearest other picture"
    if not far:
        name = max(known, key=known.__getitem__)
        return (
            f"No transform moves pictures as far as their nearest other picture lies: the furthest,"
            f" {named([name])}, moves them by {number(known[name])} on average, {unit}."
        )
    told = "; ".join(f"{named([name])} by {number(known[name])}" for name in far[:3])
    more = f"; and {len(far) - 3} more" if len(far) > 3 else ""
    return f"Further than to the nearest other picture go, on average and {unit}: {told}{more}."


def undone(beyond: Beyond | None) -> str | None:
    """For which transform the most of the shift is one and the same vector."""
    if beyond is None:
        return None
    known = [one for one in removals(beyond.direction) if not math.isnan(one.share)]
    if not known:
        return None
    best = max(known, key=lambda one: one.share)
    if best.share <= 0:
        return "Subtracting a transform's mean shift removes none of its shift from held-out pictures."
    ends = "" if math.isnan(best.low) else f" (interval {_percent(best.low)} to {_percent(best.high)})"
    return (
        f"The shift of {named([best.transform])} is the most alike from picture to picture: subtracting its"
        f" mean vector removes {_percent(best.share)}{ends} of it,"
        f" on {counted(best.images, 'held-out picture')}."
    )


def above_floor(beyond: Beyond | None) -> str | None:
    """How large shifts are beside those that preparation alone makes; None without such a floor."""
    if beyond is None or "floor_ratio" not in [one.name for one in beyond.calibration.measures]:
        return None
    known = _known(beyond.calibration, "floor_ratio")
    if not known:
        return None
    most, least = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    unit = "times the shift that preparation alone makes (its 95th percentile)"
    if most == least:
        return f"The shift of {named([most])} is {number(known[most])} {unit}."
    return (
        f"Shifts lie between {number(known[least])} ({named([least])}) and {number(known[most])}"
        f" ({named([most])}) {unit}."
    )


def kept_arrangement(beyond: Beyond | None) -> str | None:
    """Under which transform the distances between pictures keep their order least and most."""
    if beyond is None:
        return None
    found, known = beyond.structure, _known(beyond.structure, "rsa")
    if len(known) < 2:
        return None
    least, most = min(known, key=known.__getitem__), max(known, key=known.__getitem__)

    def told(name: str) -> str:
        chance = found.mean(name, "rsa_chance")
        beside = "" if math.isnan(chance) else f" (by chance {number(chance)})"
        return f"{named([name])}, {number(known[name])}{beside}"

    return (
        f"The distances between pictures keep their order least under {told(least)}, and most under"
        f" {told(most)}: rank correlation of the distances before and after, 1 where the order is the same,"
        f" on {counted(found.images, 'picture')}."
    )


def _known(found: Measured, measure: str) -> dict[str, float]:
    """Defined means by transform."""
    means = {name: found.mean(name, measure) for name in found.transforms}
    return {name: mean for name, mean in means.items() if not math.isnan(mean)}


def _percent(share: float) -> str:
    return percent(share).replace("-", "−")


def _share(found: Measured, name: str, measure: str) -> str:
    low, high = found.interval(name, measure)
    ends = "" if math.isnan(low) else f" (interval {percent(low)} to {percent(high)})"
    return f"{percent(found.mean(name, measure))}{ends}"
