"""Compared runs as sentences: what differs, whether to re-index, what is not worse, what ranks first."""

import math

from embshift.analysis.compared.catalogue import COMPARED
from embshift.analysis.compared.results import ComparedPair, Comparison
from embshift.analysis.compared.spaces import SpaceShift
from embshift.analysis.compared.stability import OVERVIEW
from embshift.core.types import Direction
from embshift.core.words import count_noun
from embshift.show.text.names import join_names
from embshift.show.text.numbers import spell_beside, spell_number
from embshift.show.text.words import format_percent

__all__ = [
    "describe_margin",
    "describe_overview",
    "describe_pair",
    "describe_space",
    "list_answers",
]

_ALIKE = 0.95
"""Overlap of neighbours from which on an index need not be built again for searches of neighbours."""

_ERROR = 0.05

_MOST = 6
"""Names of transforms in a sentence."""


def list_answers(found: Comparison) -> tuple[str, ...]:
    """Return the answers in words: what differs, whether to re-index, what is not worse, what ranks first."""
    answers = list[str]()
    for pair in found.pairs:
        answers.append(describe_pair(found, pair))
        answers += [text for text in (describe_margin(found, pair),) if text]
    overview = describe_overview(found)
    return (overview, *answers) if len(found.runs) > 2 else (*answers, overview)


def describe_pair(found: Comparison, pair: ComparedPair) -> str:
    """Return in one or two sentences how a run differs from the reference."""
    reference = found.runs[0].name
    if pair.space is None:
        first = f"{pair.name} and {reference} are different encoders; each needs an index of its own."
    else:
        first = f"{pair.name} against {reference} ({_relate(pair)}): {describe_space(pair.space)}"
    return f"{first} {_describe_differences(found, pair)}"


def _relate(pair: ComparedPair) -> str:
    """Return how two runs are related; images that were prepared otherwise explain a change by themselves."""
    if not pair.pairing.originals.differing:
        return pair.relation
    why = ", ".join(pair.pairing.prepared)
    return f"{pair.relation}, other pixels{f': {why}' if why else ''}"


def describe_space(space: SpaceShift) -> str:
    """Return whether an index of the old embeddings can be kept, with the numbers that tell."""
    found, overlap = space.old_index_recall, space.neighbour_overlap
    if math.isnan(found):
        shift = spell_number(space.same_image_shift)
        return f"too few images to say whether to re-index (cosine shift of the image {shift})."
    numbers = (
        f"greatest cosine shift of an image {spell_number(space.same_image_shift)},"
        f" overlap@{space.neighbours} of neighbours {spell_number(overlap)},"
        f" {format_percent(found)} of images find themselves first in the old index"
    )
    if found < 1:
        return f"re-index ({numbers})."
    if math.isnan(overlap):
        return f"a search for the same image still works; too few images to say more ({numbers})."
    if overlap < _ALIKE:
        return f"re-index for searches of neighbours; a search for the same image still works ({numbers})."
    return f"no need to re-index ({numbers})."


def _describe_differences(found: Comparison, pair: ComparedPair) -> str:
    at = found.statistics.index(found.by)
    means = pair.differences.mean[:, at].tolist()
    shown = [p <= _ERROR for p in pair.adjusted.tolist()]
    worse = 1 if COMPARED[found.by].direction is Direction.LOWER else -1
    less, more = (
        [
            f"{name} ({_signed(mean)})"
            for name, mean, sure in zip(found.transforms, means, shown, strict=True)
            if sure and sign * mean > 0
        ]
        for sign in (worse, -worse)
    )
    by = found.by.replace("_", " ")
    spread = pair.differences.deviation[:, at].tolist()
    if not any(means) and not any(spread):  # NaN counts as a difference
        return f"Every image has the same {by} in both, under every transform."
    if not less and not more:
        return f"No transform is shown to differ in {by}; that does not show that they are equal."
    parts = [f"less stable under {join_names(less, most=_MOST)}"] if less else []
    parts += [f"more stable under {join_names(more, most=_MOST)}"] if more else []
    rest = len(means) - len(less) - len(more)
    left = f"; no difference is shown for {count_noun(rest, 'transform')}" if rest else ""
    return f"By {by}, {pair.name} is {' and '.join(parts)}{left}."


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{spell_number(value)}"


def describe_margin(found: Comparison, pair: ComparedPair) -> str:
    """Return which transforms are shown to be worse by no more than the margin; empty without one."""
    verdicts = pair.verdicts
    if verdicts is None:
        return ""
    open_ = [
        f"{name} (up to {spell_beside(float(verdicts.bound[at]), verdicts.margin)})"
        for at, name in enumerate(found.transforms)
        if not verdicts.holds(at)
    ]
    kept = len(found.transforms) - len(open_)
    text = (
        f"{pair.name} is shown not to be worse in {found.by.replace('_', ' ')} by more than"
        f" {verdicts.margin:g} under {kept} of {count_noun(len(found.transforms), 'transform')}"
    )
    return f"{text}; not shown for {join_names(open_, most=_MOST)}." if open_ else f"{text}."


def describe_overview(found: Comparison) -> str:
    """Return which run ranks first by each number, and where stability alone would mislead."""
    ranks = found.overview.ranks
    first = {name: [one.transform for one in ranks[name].ordered() if one.low == 1] for name in OVERVIEW}
    stable, finding = first["relative_shift"], first["recall_at_1"]
    texts = [
        f"Most stable (relative shift): {_name_first(stable, found)}; finds most originals (recall@1):"
        f" {_name_first(finding, found)}; keeps images furthest apart:"
        f" {_name_first(first['separation'], found)}."
    ]
    misleading = [
        one.transform
        for one in ranks["relative_shift"].intervals
        if one.rank == 1 and one.transform not in finding and finding
    ]
    if misleading:
        texts.append(
            f"{join_names(misleading, most=_MOST)} is stable, but finds fewer originals: it tells images"
            " apart less well, and its stability alone is no reason to choose it."
        )
    return " ".join(texts)


def _name_first(names: list[str], found: Comparison) -> str:
    if len(names) == len(found.runs):
        return "not decided"
    return join_names(names, most=_MOST, word="or") if names else "undefined"
