"""Sentences on the words, labels and captions that are stored with a run."""

import math
from collections.abc import Mapping

from embshift.analysis.words.captions import CAPTION_MEASURES, CaptionShifts
from embshift.analysis.words.directions import NAMED_BELOW, DirectionWords, NamedWord
from embshift.analysis.words.labels import LABEL_MEASURES, LabelShifts
from embshift.analysis.words.shares import WordShares
from embshift.core.words import count_noun
from embshift.show.report.facts.texts import HoldsTexts
from embshift.show.report.findings.components import format_ends_percent, holds_zero, spell_share
from embshift.show.report.findings.left_out import name_left_out
from embshift.show.text.names import join_names
from embshift.show.text.numbers import spell_number
from embshift.show.text.words import format_interval, format_percent, join_transforms, make_visible, shorten

__all__ = [
    "describe_captions",
    "describe_labels",
    "describe_left_out_words",
    "describe_named_words",
    "describe_texts",
    "describe_word_shares",
]

_SHOWN = 3


def describe_texts(facts: HoldsTexts) -> str | None:
    """Say why no words, labels or captions are shown; None where some are."""
    if facts.texts is not None:
        return None
    if facts.texts_left_out:
        return f"Words, labels and captions are left out: {make_visible(facts.texts_left_out)}."
    return (
        "No words, labels or captions are stored with the explanation: see --words, --labels and --captions"
        " of embshift explain."
    )


def describe_named_words(facts: HoldsTexts) -> str | None:
    """Say which words name the shifts of which transforms; None without words."""
    words = facts.texts.words if facts.texts else None
    if words is None:
        return None
    tested = (
        f"p, adjusted for {count_noun(len(words.names), 'word')} and"
        f" {count_noun(len(words.transforms), 'transform')} together"
    )
    named = {name: words.named(name) for name in words.transforms}
    most = sorted((name for name in named if named[name]), key=lambda name: -len(named[name]))
    few = _tell_few(words)
    if not most:
        return f"No word is named for any transform: {tested}, is nowhere below {NAMED_BELOW:g}.{few}"
    told = "; ".join(_tell_direction(name, words, named[name]) for name in most[:_SHOWN])
    more = f"; {count_noun(len(most) - _SHOWN, 'more transform')} in the table" if len(most) > _SHOWN else ""
    return (
        f"Words are named for {len(most)} of {count_noun(len(words.transforms), 'transform')} ({tested},"
        f" below {NAMED_BELOW:g}): {told}{more}.{few}"
    )


def _tell_few(words: DirectionWords) -> str:
    few = [name for name in words.transforms if words.reason(name)]
    return name_left_out(few, why="too few images moved")


def _tell_direction(name: str, words: DirectionWords, named: tuple[NamedWord, ...]) -> str:
    sides = [[one for one in named if (one.t > 0) == towards][:_SHOWN] for towards in (True, False)]
    told = [
        f"{way} {join_names([_spell_word(one) for one in side], most=_SHOWN)}"
        for way, side in zip(("towards", "away from"), sides, strict=True)
        if side
    ]
    images = count_noun(int(words.images[words.transforms.index(name)]), "image")
    p = f"p at most {max(one.p for side in sides for one in side):.2g}"
    rest = len(named) - sum(len(side) for side in sides)
    more = f"; {count_noun(rest, 'more word')}" if rest else ""
    return f"{join_transforms([name])} moves {images} {' and '.join(told)} ({p}{more})"


def _spell_word(one: NamedWord) -> str:
    return shorten(make_visible(one.word), most=40)


def describe_word_shares(facts: HoldsTexts) -> str | None:
    """Say how much of the mean shift the best words explain where words are named, beside random vectors."""
    words = facts.texts.words if facts.texts else None
    named = {name: len(words.named(name)) for name in words.transforms} if words else {}
    if not facts.texts or not any(named.values()):
        return None
    shares = facts.texts.word_shares
    meaning = (
        "Significance is not meaning: a named word need not be the reason for a shift, and may explain"
        " little of it."
    )
    if shares is None:
        return meaning
    most = sorted((name for name in named if named[name]), key=lambda name: -named[name])[:_SHOWN]
    told = "; ".join(_tell_word_share(name, shares) for name in most)
    part = f"Part of the mean shift of other images that the best {shares.words} words explain"
    return f"{meaning} {part}: {told}."


def _tell_word_share(name: str, shares: WordShares) -> str:
    at = shares.transforms.index(name)
    low, high = (format_percent(float(one[at])) for one in (shares.null_low, shares.null_high))
    chance = f"as many random vectors {low} to {high}"
    within = ", so no more than chance" if shares.share[at] <= shares.null_high[at] else ""
    return f"{join_transforms([name])} {spell_share(float(shares.share[at]))} ({chance}{within})"


def describe_left_out_words(facts: HoldsTexts) -> str | None:
    """Say how many words were left out and why; None if none was."""
    record = facts.texts.record if facts.texts and facts.texts.words else {}
    if not record.get("words_left_out"):
        return None
    count = count_noun(record["words_left_out"], "word")
    return f"{count} left out: {make_visible(record.get('why_left_out', ''))}."


def describe_labels(facts: HoldsTexts) -> str | None:
    """Say under which transform labels flip most and least, and the accuracy there; None without labels."""
    labels = facts.texts.labels if facts.texts else None
    known = _defined(labels, "flip_rate") if labels else {}
    if not facts.texts or not labels or not known:
        return None
    most, least = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    among = (
        f"Out of {count_noun(facts.texts.labels_count, 'label')}, views get another one than their original"
    )
    if not any(known.values()):
        images = count_noun(_count(labels[most], "flip_rate"), "image")
        return f"No view of {images} has another label than its original, under any transform."
    ends = [_tell_flips(labels[name]) for name in (most, least)]
    second = f", and least often under {join_transforms([least])}: {ends[1]}"
    return (
        f"{among} most often under {join_transforms([most])}:"
        f" {ends[0]}{second if known[least] < known[most] else ''}.{_tell_accuracy(most, labels[most])}"
    )


def _tell_flips(one: LabelShifts) -> str:
    rate, low, high = one.measure("flip_rate")
    ends = format_ends_percent(low, high, level=one.level)
    certain = ", so not certainly any" if rate and not math.isnan(low) and holds_zero(low, high) else ""
    return f"{spell_share(rate)} ({ends}, {count_noun(_count(one, 'flip_rate'), 'image')}){certain}"


def _tell_accuracy(name: str, one: LabelShifts) -> str:
    (before, *first), (after, *last) = one.measure("accuracy_before"), one.measure("accuracy_after")
    if math.isnan(before) or math.isnan(after):
        return ""
    told = [
        f"{spell_share(value)} of {what} ({format_ends_percent(*ends, level=one.level)})"
        for value, what, ends in ((before, "originals", first), (after, "views", last))
    ]
    return (
        f" Under {join_transforms([name])}, {' and '.join(told)} get their true label, on"
        f" {count_noun(_count(one, 'accuracy_after'), 'image')}."
    )


def _count(one: LabelShifts | CaptionShifts, measure: str) -> int:
    return int(one.estimates.n[_names(one).index(measure)])


def _names(one: LabelShifts | CaptionShifts) -> tuple[str, ...]:
    return LABEL_MEASURES if isinstance(one, LabelShifts) else CAPTION_MEASURES


def _defined(
    found: Mapping[str, LabelShifts] | Mapping[str, CaptionShifts], measure: str
) -> dict[str, float]:
    means = {name: one.measure(measure)[0] for name, one in found.items()}
    return {name: mean for name, mean in means.items() if not math.isnan(mean)}


def describe_captions(facts: HoldsTexts) -> str | None:
    """Say under which transform views lose most closeness to their captions; None without captions."""
    captions = facts.texts.captions if facts.texts else None
    known = _defined(captions, "caption_drop") if captions else {}
    if not captions or not known:
        return None
    certain = {name: known[name] for name in known if captions[name].measure("caption_drop")[1] > 0}
    if not certain:
        return "Under no transform do views certainly lose closeness to the captions of their image."
    name = max(certain, key=certain.__getitem__)
    one = captions[name]
    drop, low, high = one.measure("caption_drop")
    found = [
        f"{spell_share(value)} of {what} ({format_ends_percent(low, high, level=one.level)})"
        for what, (value, low, high) in (
            ("originals", one.measure("found_before")),
            ("views", one.measure("found_after")),
        )
    ]
    return (
        f"Views lose most closeness to the captions of their image under {join_transforms([name])}: the"
        f" cosine drops by {spell_number(drop)} ({format_interval(low, high, level=one.level)},"
        f" {count_noun(_count(one, 'caption_drop'), 'image')}). There, a caption of the image itself is the"
        f" nearest for {' and '.join(found)}."
    )
