"""Sentences on an explanation: which parts of the network make the shift, and what exchanging them undoes."""

import math
from collections import Counter

import numpy as np

from embshift.analysis.inside.shares import PooledShares
from embshift.analysis.of_explained_views import PLACES
from embshift.core.words import count_noun
from embshift.show.report.facts.explained import ExplainedFacts
from embshift.show.report.findings.components import (
    format_ends_percent,
    holds_zero,
    spell_component,
    spell_share,
)
from embshift.show.report.findings.left_out import name_left_out
from embshift.show.text.names import join_names
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import format_interval, format_percent, join_transforms, make_visible

__all__ = [
    "KINDS",
    "ROUNDING",
    "describe_calibration",
    "describe_components",
    "describe_largest_share",
    "describe_layers",
    "describe_meaning",
    "describe_patch",
    "describe_places",
    "describe_sample",
]

KINDS = {"direct": "direct patch", "class": "class-path patch"}
"""Names of the kinds of patches in sentences."""

ROUNDING = 1e-5
"""Shares up to this size are rounding: shares sum to 1 only to within it."""

_SHOWN = 3


def describe_sample(facts: ExplainedFacts) -> str:
    """Say of how many images and views the shifts are explained, and what is left out."""
    counts = facts.record["counts"]
    lost = [
        (counts["left_out"], "image", "that could not be made again"),
        (facts.changed, "view", "that could not be made again"),
        (counts["without_shift"], "view", "without a shift beyond rounding"),
    ]
    left_out = [f"{count_noun(count, noun)} {why}" for count, noun, why in lost if count]
    rest = f"Left out: {join_names(left_out, most=3)}." if left_out else "No image and no view is left out."
    return (
        f"The shifts of {count_noun(counts['views'], 'view')} of {count_noun(counts['images'], 'image')} are"
        f" split among {count_noun(len(facts.record['components']), 'component')} of the network (read-out"
        f" {make_visible(facts.record['readout'])}). {rest}"
    )


def describe_largest_share(facts: ExplainedFacts) -> str:
    """Name the component with the largest certain share in the largest shift."""
    shares, name = facts.shares[facts.main], join_transforms([facts.main])
    moved = facts.shifts[facts.main].estimates
    size = format_interval(float(moved.low[0]), float(moved.high[0]), level=shares.level)
    lead = (
        f"The explained shifts are largest under {name}: mean 1 − cosine {spell_number(float(moved.mean[0]))}"
        f" ({size}, {count_noun(int(moved.n[0]), 'image')})."
    )
    if not shares.images:
        return f"{lead} None of them is beyond rounding, so no component has a share."
    largest = shares.largest(1)
    if not largest:
        return f"{lead} {_tell_uncertain(shares)}"
    at = shares.components.index(largest[0])
    against = ": it works against the shift" if shares.share[at] < 0 else ""
    return (
        f"{lead} Of the squared shift, the largest certain share is {_tell_share(shares, at)}, that of"
        f" {spell_component(largest[0])}{against}."
    )


def _tell_share(shares: PooledShares, at: int) -> str:
    low, high = float(shares.joint_low[at]), float(shares.joint_high[at])
    ends = format_ends_percent(low, high, level=shares.level, joint=True)
    return f"{spell_share(float(shares.share[at]))} ({ends}, {count_noun(shares.images, 'image')})"


def _tell_uncertain(shares: PooledShares) -> str:
    if np.isnan(shares.joint_low).all():
        return "No component is named, since there is no interval: it needs at least ten images."
    level = format_percent(shares.level)
    return f"No component has a share whose joint {level} interval excludes 0, so none is named."


def describe_patch(facts: ExplainedFacts) -> str | None:
    """Say what exchanging the component with the largest certain share undoes."""
    largest = facts.shares[facts.main].largest(1)
    if not largest:
        return None
    effects = facts.patches[facts.main]
    at = effects.components.index(largest[0])
    found = effects.recovered.estimates
    mean, low, high = (float(one[at]) for one in (found.mean, found.low, found.high))
    what = f"the {KINDS[effects.kind]} of {spell_component(largest[0])}"
    if math.isnan(mean):
        return f"Under {join_transforms([facts.main])}, {what} was not made."
    ends = format_ends_percent(low, high, level=effects.recovered.level)
    beside = f"({ends}, {count_noun(int(found.n[at]), 'image')})"
    if math.isnan(low):
        return f"The check by {what} is not certain: {spell_share(mean)} of the shift is undone {beside}."
    if holds_zero(low, high):
        return f"It is not certain that {what} undoes any of the shift: {spell_share(mean)} {beside}."
    if mean < 0:
        return f"The check contradicts the share: {what} undoes {spell_share(mean)} of the shift {beside}."
    return (
        f"As a check, {what}, which sets its part to that of the original, undoes {spell_share(mean)} of the"
        f" shift {beside}."
    )


def describe_components(facts: ExplainedFacts) -> str | None:
    """Say which component has the largest certain share under how many transforms."""
    if len(facts.transforms) < 2:
        return None
    largest = {name: facts.shares[name].largest(1) for name in facts.transforms}
    found = Counter(names[0] for names in largest.values() if names)
    none = [name for name, names in largest.items() if not names]
    without = name_left_out(none, why="no share is certain")
    if not found:
        return f"Under no transform is a share certain.{without}"
    first = found.most_common(_SHOWN)
    told = [f"{spell_component(name)} under {count}" for name, count in first]
    more = len(found) - len(first)
    others = found.total() - sum(count for _, count in first)
    rest = f"; {count_noun(more, 'other component')} under {others}" if more else ""
    return (
        f"Of {len(facts.transforms)} transforms, the largest certain share is that of"
        f" {join_names(told, most=_SHOWN)}{rest}.{without}"
    )


def describe_meaning(facts: ExplainedFacts) -> str:
    """Say what a share is not."""
    del facts
    return (
        "A share is no cause: it says what a component adds to the shift in this pass, not what would happen"
        " without its change. The patch beside a share is the check: it takes the component's part from the"
        " original's pass, and shows how much of the shift is undone."
    )


def describe_calibration(facts: ExplainedFacts) -> str | None:
    """Say how far the cheap patches agree with those that run the whole network on."""
    kind, found = KINDS[facts.kind], facts.calibration
    if found is None:
        if facts.record["followed"]:
            return None
        return (
            f"Every patch here is a {kind}: it exchanges a part of the sum that the embedding is read from."
            " With this read-out no part is followed through the network."
        )
    return (
        f"Where a component was also exchanged in a pass of the whole network"
        f" ({count_noun(found.pairs, 'pair')} of view and component), the {kind} differs from the full one by"
        f" {spell_number(found.difference)} of the shift on average; their correlation is"
        f" {spell_number(found.correlation)}."
    )


def describe_layers(facts: ExplainedFacts) -> str:
    """Say at which layers original and view drift apart under the largest shift."""
    name, falls = join_transforms([facts.main]), facts.falls[facts.main].estimates
    level, cosine = facts.cosine[facts.main].level, facts.cosine[facts.main].estimates
    mean, low, high = (float(one[-1]) for one in (cosine.mean, cosine.low, cosine.high))
    end = (
        f"after the last layer, layer {len(falls.mean) - 1}, it is {spell_number(mean)}"
        f" ({format_interval(low, high, level=level)}, {count_noun(int(cosine.n[-1]), 'image')})"
    )
    certain = [at for at in range(len(falls.mean)) if falls.low[at] > 0]
    first = sorted(certain, key=lambda at: -float(falls.mean[at]))[:_SHOWN]
    token = f"Under {name}, the cosine of the token that is read, original against view,"
    if not first:
        return f"{token} certainly falls at no layer; {end}."
    joint = format_percent(level)
    told = [
        f"at layer {at} by {spell_number(float(falls.mean[at]))} ({spell_number(float(falls.low[at]))} to"
        f" {spell_number(float(falls.high[at]))})"
        for at in first
    ]
    rest = len(certain) - len(first)
    more = f", at {count_noun(rest, 'more layer')} by less" if rest else ""
    start = " The fall at layer 0 is counted from 1, so it holds the input as well." if 0 in first else ""
    layers = f"{join_names(told, most=_SHOWN)}{more} (joint {joint} intervals)"
    return f"{token} certainly falls {layers}; {end}.{start}"


def describe_places(facts: ExplainedFacts) -> str:
    """Say how much of a shift has no place in the image, and how much left the view."""
    return f"{_tell_not_placed(facts)} {_tell_left(facts)}"


def _tell_not_placed(facts: ExplainedFacts) -> str:
    found, name = facts.places[facts.main], join_transforms([facts.main])
    at = PLACES.index("not placed")
    share = float(found.share[at])
    if math.isnan(share):
        return f"There is no shift map of {name}."
    if abs(share) <= ROUNDING:
        return f"The shift maps place the whole squared shift of {name} on patches of the image."
    if holds_zero(float(found.joint_low[at]), float(found.joint_high[at])):
        return (
            f"How much of the squared shift of {name} has no place in the image is not certain:"
            f" {_tell_share(found, at)}."
        )
    return (
        f"Of the squared shift of {name}, {_tell_share(found, at)} has no place in the image (not placed:"
        " input, inner layers and class token)."
    )


def _tell_left(facts: ExplainedFacts) -> str:
    at = PLACES.index("outside view")
    certain = {
        name: abs(float(one.share[at]))
        for name, one in facts.places.items()
        if abs(float(one.share[at])) > ROUNDING
        and not holds_zero(float(one.joint_low[at]), float(one.joint_high[at]))
    }
    if not certain:
        return (
            "Under no transform do parts of the original that left the view certainly count (outside view)."
        )
    name = max(certain, key=certain.__getitem__)
    return (
        f"Parts of the original that left the view (outside view) count most under {join_transforms([name])}:"
        f" on the original's side, {_tell_share(facts.places[name], at)} of the squared shift."
    )
