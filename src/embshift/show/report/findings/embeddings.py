"""Sentences on the embeddings: retrieval, nearest neighbours, floors, removal of the mean shift, geometry."""

import math
from collections.abc import Mapping

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.thresholds.result import LEFT_OUT
from embshift.core.words import count_noun
from embshift.show.report.facts.embeddings import EmbeddingFacts
from embshift.show.report.findings.left_out import defined_means, tell_left_out
from embshift.show.text.numbers import spell_number
from embshift.show.text.thresholds import describe_near_duplicates, describe_threshold
from embshift.show.text.words import format_percent, join_transforms

__all__ = [
    "describe_consistency",
    "describe_distance_order",
    "describe_floor_ratio",
    "describe_neighbour_ratio",
    "describe_removal",
    "describe_retrieval",
    "describe_thresholds",
]

_SHOWN = 3


def describe_retrieval(facts: EmbeddingFacts | None) -> str | None:
    """Say which views do not have their own original as nearest neighbour."""
    if facts is None:
        return None
    found = facts.retrieval
    known = defined_means(found, "recall_at_1")
    if not known:
        return None
    among = f"among {count_noun(found.images, 'image')}"
    lost = sorted((name for name, mean in known.items() if mean < 1), key=known.__getitem__)
    left_out = tell_left_out(found, "recall_at_1")
    if not lost:
        return f"Every view has its own original as its nearest neighbour {among}.{left_out}"
    shares = "; ".join(f"{join_transforms([name])} {_recall(found, name)}" for name in lost[:_SHOWN])
    more = f"; {_more(len(lost))} below 100 %" if len(lost) > _SHOWN else ""
    others = _others(len(known) - len(lost))
    what = f"Share of views whose nearest neighbour {among} is their own original (recall@1)"
    return f"{what}: {shares}{more}.{others}{left_out}"


def _others(count: int) -> str:
    if not count:
        return ""
    return f" For the other {'transform' if count == 1 else f'{count} transforms'} it is 100 %."


def _more(count: int) -> str:
    return count_noun(count - _SHOWN, "more transform")


def describe_thresholds(facts: EmbeddingFacts | None) -> str | None:
    """Say which cosine keeps how many views, and how many other pairs it lets in; near-duplicates first."""
    if facts is None or not facts.thresholds.rows:
        return None
    found = facts.thresholds
    row = found.row(found.rows[-1].transform, near_duplicates=LEFT_OUT)
    if math.isnan(row.at_precision.recall.value):
        return None
    near = f"{describe_near_duplicates(found)} " if found.near_count else ""
    return f"{near}{describe_threshold(row)}"


def describe_neighbour_ratio(facts: EmbeddingFacts | None) -> str | None:
    """Say which transforms move an image further than to its nearest neighbour."""
    if facts is None:
        return None
    known = defined_means(facts.calibration, "neighbour_ratio")
    if not known:
        return None
    far = sorted((name for name, mean in known.items() if mean > 1), key=lambda name: -known[name])
    left_out = tell_left_out(facts.calibration, "neighbour_ratio")
    if not far:
        name = max(known, key=known.__getitem__)
        return (
            f"On average, no transform moves an image as far as its nearest neighbour. The largest shift is"
            f" {spell_number(known[name])} times that distance ({join_transforms([name])}).{left_out}"
        )
    (first, times), *rest = [(join_transforms([name]), spell_number(known[name])) for name in far[:_SHOWN]]
    others = "".join(f"; {name} {ratio} times" for name, ratio in rest)
    more = f"; {_more(len(far))} above 1" if len(far) > _SHOWN else ""
    return (
        f"On average, {first} moves an image {times} times as far as its nearest neighbour{others}{more}."
        f"{left_out}"
    )


def describe_consistency(facts: EmbeddingFacts | None) -> str | None:
    """Say which transform shifts images most alike, by the measure consistency."""
    if facts is None:
        return None
    found = facts.direction
    known = defined_means(found, "consistency")
    if not known:
        return None
    shared = [name for name in known if not _may_be_zero(found, name, "consistency", known)]
    left_out = tell_left_out(found, "consistency")
    if not shared:
        return f"No transform certainly shifts all images in a common direction.{left_out}"
    best = max(shared, key=known.__getitem__)
    return (
        f"The shifts of {join_transforms([best])} are the most alike across images: the cosine of a shift and"
        f" the mean of the others is {spell_number(known[best])} on average"
        f"{_ends(found, best, 'consistency')}, on {_images(found, best, 'consistency')}.{left_out}"
    )


def describe_removal(facts: EmbeddingFacts | None) -> str | None:
    """Say of which shift subtracting its mean vector removes most."""
    if facts is None:
        return None
    found = facts.direction
    known = defined_means(found, "corrected_mean")
    if not known:
        return None
    reduced = [
        name
        for name, share in known.items()
        if share > 0 and not _may_be_zero(found, name, "corrected_mean", known)
    ]
    left_out = tell_left_out(found, "corrected_mean")
    if not reduced:
        return (
            "For no transform is it certain that subtracting its mean shift vector reduces the shift of"
            f" held-out images.{left_out}"
        )
    best = max(reduced, key=known.__getitem__)
    return (
        f"Subtracting its mean shift vector removes most of the shift of {join_transforms([best])}:"
        f" {format_percent(known[best])}{_ends(found, best, 'corrected_mean', percent=True)}, on"
        f" {_images(found, best, 'corrected_mean', noun='held-out image')}.{left_out}"
    )


def _may_be_zero(found: Measured, name: str, measure: str, known: Mapping[str, float]) -> bool:
    """Return whether the interval of a value contains 0; without an interval, whether the value is 0."""
    low, high = found.interval(name, measure)
    return known[name] == 0 if math.isnan(low) else low <= 0 <= high


def _ends(found: Measured, name: str, measure: str, *, percent: bool = False) -> str:
    """Return the interval in brackets, for inside a sentence; empty where there is none."""
    low, high = found.interval(name, measure)
    spell = format_percent if percent else spell_number
    return "" if math.isnan(low) else f" (interval {spell(low)} to {spell(high)})"


def _images(found: Measured, name: str, measure: str, *, noun: str = "image") -> str:
    return count_noun(found.count(name, measure), noun)


def describe_floor_ratio(facts: EmbeddingFacts | None) -> str | None:
    """Compare shifts with the preparation floor; None without such a floor."""
    if facts is None or "floor_ratio" not in [one.name for one in facts.calibration.measures]:
        return None
    known = defined_means(facts.calibration, "floor_ratio")
    if not known:
        return None
    most, least = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    unit = "times the preparation floor, the mean of the shifts that preparation alone causes"
    left_out = tell_left_out(facts.calibration, "floor_ratio")
    if most == least:
        return f"The shift of {join_transforms([most])} is {spell_number(known[most])} {unit}.{left_out}"
    return (
        f"Shifts are between {spell_number(known[least])} ({join_transforms([least])}) and"
        f" {spell_number(known[most])} ({join_transforms([most])}) {unit}.{left_out}"
    )


def describe_distance_order(facts: EmbeddingFacts | None) -> str | None:
    """Say under which transforms the order of distances between images is preserved worst and best."""
    if facts is None:
        return None
    found, known = facts.structure, defined_means(facts.structure, "rsa")
    if len(known) < 2:
        return None
    least, most = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    return (
        "The order of the distances between images is preserved worst under"
        f" {_rank_correlation(found, least)} and best under {_rank_correlation(found, most)}. The numbers are"
        " rank correlations of the distances before and after; 1 means the same order."
        f"{tell_left_out(found, 'rsa')}"
    )


def _rank_correlation(found: Measured, name: str) -> str:
    chance, (low, high) = found.mean(name, "rsa_chance"), found.interval(name, "rsa_chance")
    ends = "" if math.isnan(low) else f", 95 % range {spell_number(low)} to {spell_number(high)}"
    beside = "" if math.isnan(chance) else f", chance {spell_number(chance)}{ends}"
    on = _images(found, name, "rsa")
    return f"{join_transforms([name])} ({spell_number(found.mean(name, 'rsa'))} on {on}{beside})"


def _recall(found: Measured, name: str) -> str:
    share = format_percent(found.mean(name, "recall_at_1"))
    on = "" if (n := found.count(name, "recall_at_1")) == found.images else f" of {count_noun(n, 'image')}"
    return f"{share}{on}{_ends(found, name, 'recall_at_1', percent=True)}"
