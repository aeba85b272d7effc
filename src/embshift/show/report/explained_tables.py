"""Tables on an explanation: components, layers and places; words; labels; captions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from embshift.analysis.inside.shares import PooledShares
from embshift.analysis.of_explained_views import PLACES
from embshift.analysis.sampling.bootstrap import Intervals
from embshift.analysis.words.captions import CAPTION_MEASURES, CaptionShifts
from embshift.analysis.words.directions import DirectionWords
from embshift.analysis.words.labels import LABEL_MEASURES, LabelShifts
from embshift.analysis.words.shares import WordShares
from embshift.core.words import count_noun
from embshift.show.report.cells import Cell, format_ends, make_cell, make_head
from embshift.show.report.facts.explained import ExplainedFacts
from embshift.show.report.facts.texts import HoldsTexts
from embshift.show.report.findings.network import KINDS, ROUNDING
from embshift.show.text.numbers import format_counts, spell_number
from embshift.show.text.words import format_percent

__all__ = ["build_explained_tables", "build_text_tables"]

_WORDS = 5
"""Words on either side of a transform."""

_LABEL_HEADS = {
    "flip_rate": ("flip rate", "share of views with another label than their original"),
    "margin_drop": ("margin drop", "loss of the cosine's lead of the original's label over the next"),
    "invariance": ("invariance", "effective invariance: 0 where the label flips, else √(p p′)"),
    "divergence": ("divergence (bits)", "Jensen–Shannon divergence of the label distributions"),
    "accuracy_before": ("right before", "share of originals with their true label"),
    "accuracy_after": ("right after", "share of views with their true label"),
}
_CAPTION_HEADS = {
    "caption_drop": ("loss of cosine", "cosine with the image's own captions, original minus view"),
    "found_before": ("found before", "share of originals whose nearest caption is their own"),
    "found_after": ("found after", "share of views whose nearest caption is that of their image"),
}

Table = dict[str, Any]


def build_explained_tables(facts: ExplainedFacts) -> list[Table]:
    """Return all tables that apply to an explanation: title, note, header and rows of cells."""
    return [_build_components(facts), *build_text_tables(facts)]


def build_text_tables(facts: HoldsTexts) -> list[Table]:
    """Return all tables that apply to stored texts."""
    found, texts = list[Table](), facts.texts
    if texts and texts.words:
        found.append(_build_words(texts.words, texts.word_shares))
    if texts and texts.labels:
        title = f"Do views keep their label, of {count_noun(texts.labels_count, 'label')}?"
        found.append(_build_measures(texts.labels, LABEL_MEASURES, _LABEL_HEADS, title=title))
    if texts and texts.captions:
        title = "Do views keep their caption?"
        found.append(_build_measures(texts.captions, CAPTION_MEASURES, _CAPTION_HEADS, title=title))
    return found


def _build_components(facts: ExplainedFacts) -> Table:
    level = format_percent(facts.shares[facts.main].level)
    heads = (
        ("transform", ""),
        ("shift", "mean 1 − cosine of the explained views"),
        ("largest certain share", "component with the largest share whose joint interval excludes 0"),
        ("share", "part of the squared shift that it makes; joint interval over all components"),
        ("patch undoes", f"part of the shift that the {KINDS[facts.kind]} of this component undoes"),
        ("cosine at the end", "mean cosine of the token that is read, after the last layer"),
        ("outside view", "part of the original's side that lies outside the view"),
        ("not placed", "part of the squared shift without a place in the image"),
        ("images", "number of images with a shift; then of patched images, where they differ"),
    )
    return {
        "title": "Which part of the network makes the shift?",
        "note": (
            f"Shares are parts of the squared shift. Brackets: {level} intervals, of shares jointly over all"
            " components. A share is no cause; the patch beside it is the check. Hover over a heading for its"
            " definition."
        ),
        "header": [make_head(*one) for one in heads],
        "rows": [_list_components(facts, name) for name in facts.transforms],
    }


def _list_components(facts: ExplainedFacts, name: str) -> Sequence[Cell]:
    shares, places = facts.shares[name], facts.places[name]
    largest = shares.largest(1)
    effects = facts.patches[name].recovered.estimates
    at = shares.components.index(largest[0]) if largest else -1
    share = [_joint_cell(shares, at), _cell_of(effects, at)] if largest else [make_cell("–")] * 2
    counts = [shares.images, *([int(effects.n[at])] if largest else [])]
    cosine = facts.cosine[name].estimates
    return [
        make_cell(name),
        _cell_of(facts.shifts[name].estimates, 0),
        make_cell(largest[0] if largest else "none certain"),
        *share,
        _cell_of(cosine, len(cosine.mean) - 1),
        *(_place_cell(places, PLACES.index(place)) for place in PLACES),
        make_cell(format_counts(counts)),
    ]


def _joint_cell(shares: PooledShares, at: int) -> Cell:
    ends = format_ends(float(shares.joint_low[at]), float(shares.joint_high[at]))
    return make_cell(spell_number(float(shares.share[at])), ends)


def _place_cell(places: PooledShares, at: int) -> Cell:
    if abs(float(places.share[at])) <= ROUNDING:  # shares sum to 1 only to within rounding
        return make_cell("0")
    return _joint_cell(places, at)


def _cell_of(found: Intervals, at: int) -> Cell:
    mean = float(found.mean[at])
    if np.isnan(mean):
        return make_cell("–")
    return make_cell(spell_number(mean), format_ends(float(found.low[at]), float(found.high[at])))


def _build_words(words: DirectionWords, shares: WordShares | None) -> Table:
    heads = (
        ("transform", ""),
        ("towards", "named words that images move towards, the strongest first"),
        ("away from", "named words that images move away from"),
        ("named", "number of words with an adjusted p below 0.05"),
        ("smallest p", "adjusted for all words and transforms together"),
        ("best words explain", "share of the mean shift of other images"),
        ("random vectors", "95 % range of the share that as many random vectors explain"),
        ("images", "number of images that the transform moves"),
    )
    return {
        "title": "Which words name the direction of the shift?",
        "note": (
            f"{count_noun(len(words.names), 'word')}; p by {words.flips:,} sign flips, adjusted for all words"
            " and transforms together. Significance is not meaning: see what the best words explain, beside"
            " random vectors."
        ),
        "header": [make_head(*one) for one in heads],
        "rows": [list(_list_words(name, words, shares)) for name in words.transforms],
    }


def _list_words(name: str, words: DirectionWords, shares: WordShares | None) -> Iterator[Cell]:
    named, at = words.named(name), words.transforms.index(name)
    yield make_cell(name)
    for towards in (True, False):
        side = [one.word for one in named if (one.t > 0) == towards]
        more = f"and {len(side) - _WORDS} more" if len(side) > _WORDS else ""
        yield make_cell(", ".join(side[:_WORDS]) or "–", more)
    p = words.p[at][~np.isnan(words.p[at])]
    yield make_cell(f"{len(named)}")
    yield make_cell(f"{p.min():.2g}" if len(p) else "–")
    known = shares is not None and not np.isnan(shares.share[at])
    yield make_cell(format_percent(float(shares.share[at])) if shares and known else "–")
    yield make_cell(
        f"{format_percent(float(shares.null_low[at]))} to {format_percent(float(shares.null_high[at]))}"
        if shares and known
        else "–"
    )
    yield make_cell(f"{int(words.images[at]):,}")


def _build_measures(
    found: Mapping[str, LabelShifts] | Mapping[str, CaptionShifts],
    measures: Sequence[str],
    heads: Mapping[str, tuple[str, str]],
    *,
    title: str,
) -> Table:
    """Return means with intervals of the measures that any transform has."""
    known = [at for at in range(len(measures)) if any(one.estimates.n[at] for one in found.values())]
    level = format_percent(next(iter(found.values())).level)
    return {
        "title": title,
        "note": f"Means over images. Brackets: {level} intervals. Hover over a heading for its definition.",
        "header": [
            make_head("transform"),
            *(make_head(*heads[measures[at]]) for at in known),
            make_head("images"),
        ],
        "rows": [
            [
                make_cell(name),
                *(_cell_of(one.estimates, at) for at in known),
                make_cell(format_counts(int(one.estimates.n[at]) for at in known)),
            ]
            for name, one in found.items()
        ],
    }
