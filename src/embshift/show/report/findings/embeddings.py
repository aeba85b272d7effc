"""Sentences on the embeddings: retrieval, nearest neighbours, floors, removal of the mean shift, geometry."""

import math

from embshift.analysis.embeddings.direction import removals
from embshift.analysis.embeddings.measures import Measured
from embshift.core.words import count_noun
from embshift.show.report.facts.embeddings import EmbeddingFacts
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import format_percent, join_transforms

__all__ = [
    "describe_distance_order",
    "describe_floor_ratio",
    "describe_neighbour_ratio",
    "describe_removal",
    "describe_retrieval",
]

_SHOWN = 3


def describe_retrieval(facts: EmbeddingFacts | None) -> str | None:
    """Say which views do not have their own original as nearest neighbour."""
    if facts is None:
        return None
    found = facts.retrieval
    known = _defined_means(found, "recall_at_1")
    if not known:
        return None
    among = f"among {count_noun(found.images, 'image')}"
    lost = sorted((name for name, mean in known.items() if mean < 1), key=known.__getitem__)
    if not lost:
        return f"Every view has its own original as its nearest neighbour {among}."
    shares = "; ".join(f"{join_transforms([name])} {_recall(found, name)}" for name in lost[:_SHOWN])
    more = f"; {_more(len(lost))} below 100 %" if len(lost) > _SHOWN else ""
    others = _others(len(known) - len(lost))
    what = f"Share of views whose nearest neighbour {among} is their own original (recall@1)"
    return f"{what}: {shares}{more}.{others}"


def _others(count: int) -> str:
    if not count:
        return ""
    return f" For the other {'transform' if count == 1 else f'{count} transforms'} it is 100 %."


def _more(count: int) -> str:
    return count_noun(count - _SHOWN, "more transform")


def describe_neighbour_ratio(facts: EmbeddingFacts | None) -> str | None:
    """Say which transforms move an image further than to its nearest neighbour."""
    if facts is None:
        return None
    known = _defined_means(facts.calibration, "neighbour_ratio")
    if not known:
        return None
    far = sorted((name for name, mean in known.items() if mean > 1), key=lambda name: -known[name])
    if not far:
        name = max(known, key=known.__getitem__)
        return (
            f"On average, no transform moves an image as far as its nearest neighbour. The largest shift is"
            f" {spell_number(known[name])} times that distance ({join_transforms([name])})."
        )
    (first, times), *rest = [(join_transforms([name]), spell_number(known[name])) for name in far[:_SHOWN]]
    others = "".join(f"; {name} {ratio} times" for name, ratio in rest)
    more = f"; {_more(len(far))} above 1" if len(far) > _SHOWN else ""
    return f"On average, {first} moves an image {times} times as far as its nearest neighbour{others}{more}."


def describe_removal(facts: EmbeddingFacts | None) -> str | None:
    """Say which shift is most consistent, by the share that subtracting its mean vector removes."""
    if facts is None:
        return None
    known = [one for one in removals(facts.direction) if not math.isnan(one.share)]
    if not known:
        return None
    best = max(known, key=lambda one: one.share)
    if best.share <= 0:
        return "Subtracting a transform's mean shift vector does not reduce its shift on held-out images."
    ends = (
        ""
        if math.isnan(best.low)
        else f" (interval {format_percent(best.low)} to {format_percent(best.high)})"
    )
    return (
        f"The shift of {join_transforms([best.transform])} is the most consistent across images: subtracting"
        f" its mean vector removes {format_percent(best.share)}{ends} of it,"
        f" on {count_noun(best.images, 'held-out image')}."
    )


def describe_floor_ratio(facts: EmbeddingFacts | None) -> str | None:
    """Compare shifts with the preparation floor; None without such a floor."""
    if facts is None or "floor_ratio" not in [one.name for one in facts.calibration.measures]:
        return None
    known = _defined_means(facts.calibration, "floor_ratio")
    if not known:
        return None
    most, least = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    unit = "times the preparation floor, the mean of the shifts that preparation alone causes"
    if most == least:
        return f"The shift of {join_transforms([most])} is {spell_number(known[most])} {unit}."
    return (
        f"Shifts are between {spell_number(known[least])} ({join_transforms([least])}) and"
        f" {spell_number(known[most])} ({join_transforms([most])}) {unit}."
    )


def describe_distance_order(facts: EmbeddingFacts | None) -> str | None:
    """Say under which transforms the order of distances between images is preserved worst and best."""
    if facts is None:
        return None
    found, known = facts.structure, _defined_means(facts.structure, "rsa")
    if len(known) < 2:
        return None
    least, most = min(known, key=known.__getitem__), max(known, key=known.__getitem__)

    def tell(name: str) -> str:
        chance = found.mean(name, "rsa_chance")
        low, high = found.interval(name, "rsa_chance")
        ends = "" if math.isnan(low) else f", 95 % range {spell_number(low)} to {spell_number(high)}"
        beside = "" if math.isnan(chance) else f", chance {spell_number(chance)}{ends}"
        return f"{join_transforms([name])} ({spell_number(known[name])}{beside})"

    return (
        f"The order of the distances between images is preserved worst under {tell(least)} and best under"
        f" {tell(most)}. The numbers are rank correlations of the distances before and after, on"
        f" {count_noun(found.images, 'image')}; 1 means the same order."
    )


def _defined_means(found: Measured, measure: str) -> dict[str, float]:
    means = {name: found.mean(name, measure) for name in found.transforms}
    return {name: mean for name, mean in means.items() if not math.isnan(mean)}


def _recall(found: Measured, name: str) -> str:
    low, high = found.interval(name, "recall_at_1")
    ends = "" if math.isnan(low) else f" (interval {format_percent(low)} to {format_percent(high)})"
    return f"{format_percent(found.mean(name, 'recall_at_1'))}{ends}"
