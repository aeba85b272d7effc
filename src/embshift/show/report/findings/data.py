"""Sentences on the data of a run: what was measured, what failed, what is undefined, what is scarce."""

from collections.abc import Sequence

import numpy as np

from embshift.analysis.sampling.bootstrap import FEWEST
from embshift.core.types import Capture
from embshift.core.words import count_noun
from embshift.show.report.facts.run import Facts
from embshift.show.text.words import join_transforms, make_visible, shorten, spell_metric

__all__ = [
    "describe_failures",
    "describe_left_out",
    "describe_map",
    "describe_run",
    "describe_service",
    "describe_undefined",
    "warn_few_images",
    "warn_unfinished",
]

_FEW = 30


def describe_run(facts: Facts) -> str:
    """Say what was measured, with which encoder."""
    encoder = shorten(make_visible(facts.info["encoder"].get("name", "without a name")))
    return (
        f"This run measures {count_noun(facts.measured, 'image')} under"
        f" {count_noun(len(facts.transforms), 'transform')} by"
        f" {count_noun(len(facts.metrics), 'metric')}, with the encoder {encoder}."
    )


def warn_unfinished(facts: Facts) -> str | None:
    """Say that the run is not finished; None if it is."""
    if facts.info.get("state") == "finished":
        return None
    return "The run is not finished: these are the images measured so far, and the numbers will change."


def describe_failures(facts: Facts) -> str:
    """Say how many inputs and views could not be used."""
    inputs = sum(facts.inputs.values())
    failed = inputs - facts.inputs.get("ok", 0)
    tried, lost = facts.views
    if not inputs:
        return "The run has no input."
    repeated = _repeated(facts.repeated)
    if not failed and not lost:
        return f"Nothing failed: {_all(inputs, 'input')} and {_all(tried, 'view')} could be used.{repeated}"
    reasons = sorted((status, n) for status, n in facts.inputs.items() if status != "ok")
    why = f" ({_join_reasons(reasons)})" if reasons else ""
    return (
        f"{failed:,} of {count_noun(inputs, 'input')} could not be used{why}, and {lost:,} of"
        f" {count_noun(tried, 'view')} lack an embedding, or their original's. They are left out of all"
        f" means.{repeated}"
    )


def _repeated(count: int) -> str:
    if not count:
        return ""
    each = (
        "equals an earlier one, and both count"
        if count == 1
        else "equal earlier ones, and equal images count"
    )
    return f" {count_noun(count, 'input')} {each} as one image."


def describe_left_out(facts: Facts) -> str | None:
    """Say what the sources held and the listing does not; None if that is nothing."""
    told = list[str]()
    for one in facts.info.get("left_out", []):
        count = count_noun(one["count"], one["kind"])
        was = "was" if one["count"] == 1 else "were"
        told.append(f"{count} of the sources {was} left out: {make_visible(one['reason'])}.")
    return " ".join(told) or None


def _all(count: int, noun: str) -> str:
    return f"the one {noun}" if count == 1 else f"all {count:,} {noun}s"


def _join_reasons(reasons: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{make_visible(status)}: {n:,}" for status, n in reasons)


def describe_undefined(facts: Facts) -> str | None:
    """Say how many images have undefined values, and where most of them are; None if there are none."""
    counts = np.array(
        [[row.cells[spec.name].undefined for spec in facts.metrics] for row in facts.summary.rows], np.int64
    )
    draws = facts.partly
    total = int(counts.sum()) if counts.size else 0
    partly = (
        f" In {count_noun(draws, 'further value')}, some draws are undefined: the others give the mean."
        if draws
        else ""
    )
    if not total:
        return partly.strip().replace("further ", "") or None
    transform, metric = np.unravel_index(int(counts.argmax()), counts.shape)
    where = f"{join_transforms([facts.transforms[transform]])} by {spell_metric(facts.metrics[metric].name)}"
    return (
        f"{count_noun(total, 'value')} of an image, transform and metric {'is' if total == 1 else 'are'}"
        f" undefined and left out of the means. Most of them are in {where}"
        f" ({count_noun(int(counts.max()), 'image')}).{partly}"
    )


def warn_few_images(facts: Facts) -> str | None:
    """Say that only few images were measured; None for 30 images or more."""
    n = facts.measured
    if n >= _FEW or not n:
        return None
    if n == 1:
        return "Only one image was measured: there are no intervals, and no order of transforms is certain."
    if n < FEWEST:
        return f"Only {n:,} images were measured: below {FEWEST} images, means have no intervals."
    return f"Only {n:,} images were measured: intervals from so few images are narrower than they should be."


def describe_map(facts: Facts) -> str | None:
    """Name the encoder's map if it is not an attention map and a metric compares it."""
    name = facts.summary.map_name
    takes = any(Capture.ATTENTION in spec.needs for spec in facts.metrics)
    if not takes or name == "attention map":
        return None
    return f"For this encoder, attention metrics compare its {make_visible(name)}."


def describe_service(facts: Facts) -> str | None:
    """Say how far a service's answers for the same image differ; None for another encoder."""
    found = facts.info.get("service")
    if not found:
        return None
    asked = f"{count_noun(found['images'], 'image')} asked {found['repeats']} times"
    if found["equal"]:
        same = f"are equal bit for bit ({asked})"
        return (
            f"The encoder is a service, whose answers for the same image {same}; it may change at any time."
        )
    if found["max"] is None:
        return f"The encoder is a service, whose answers for the same image are not all finite ({asked})."
    return (
        f"The encoder is a service, whose answers for the same image differ by {found['mean']:.2g} in"
        f" 1 − cosine on average, and by {found['max']:.2g} at most ({asked}): smaller shifts are its noise."
    )
