"""The list of all sentences on an explanation, in the order in which the report shows them."""

from collections.abc import Callable, Sequence

from embshift.show.report.facts.explained import ExplainedFacts
from embshift.show.report.facts.texts import HoldsTexts
from embshift.show.report.findings.network import (
    describe_calibration,
    describe_components,
    describe_largest_share,
    describe_layers,
    describe_meaning,
    describe_patch,
    describe_places,
    describe_sample,
)
from embshift.show.report.findings.texts import (
    describe_captions,
    describe_labels,
    describe_left_out_words,
    describe_named_words,
    describe_texts,
    describe_word_shares,
)

__all__ = ["list_explained_findings", "list_text_findings"]

_NETWORK: Sequence[tuple[str, Callable[[ExplainedFacts], str | None]]] = (
    ("sample", describe_sample),
    ("largest share", describe_largest_share),
    ("patch", describe_patch),
    ("components", describe_components),
    ("meaning", describe_meaning),
    ("calibration", describe_calibration),
    ("layers", describe_layers),
    ("places", describe_places),
)

_TEXTS: Sequence[tuple[str, Callable[[HoldsTexts], str | None]]] = (
    ("words", describe_named_words),
    ("word shares", describe_word_shares),
    ("left out words", describe_left_out_words),
    ("labels", describe_labels),
    ("captions", describe_captions),
    ("texts", describe_texts),
)


def list_explained_findings(facts: ExplainedFacts) -> list[dict[str, str]]:
    """Return all sentences that apply to an explanation, in order, each with its subject."""
    told = [(about, describe(facts)) for about, describe in _NETWORK]
    return [{"about": about, "text": text} for about, text in told if text] + list_text_findings(facts)


def list_text_findings(facts: HoldsTexts) -> list[dict[str, str]]:
    """Return all sentences that apply to stored texts, in order, each with its subject."""
    told = [(about, describe(facts)) for about, describe in _TEXTS]
    return [{"about": about, "text": text} for about, text in told if text]
