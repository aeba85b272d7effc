"""What a report needs from the texts that are stored with a run, explained or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.analysis.stored_texts import StoredTexts, open_stored_texts
from embshift.analysis.words.captions import CaptionShifts
from embshift.analysis.words.directions import DirectionWords
from embshift.analysis.words.labels import LabelShifts
from embshift.analysis.words.shares import BEST, WordShares
from embshift.core.errors import RunError
from embshift.core.progress import OnStep, ignore_step
from embshift.runs.explained import read_texts
from embshift.runs.tables import RunTables
from embshift.show.report.facts.embeddings import MOST_IMAGES

__all__ = ["HoldsTexts", "LoneTexts", "TextFacts", "gather_texts"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextFacts:
    """What stored texts say of a run's shifts.

    Attributes:
        record: The content of ``texts.json``.
        words: The test of every word; None without words.
        word_shares: What the best words explain; None for fewer words than are chosen.
        labels: Labels of images and views, by transform; None without labels.
        labels_count: Number of labels to choose from.
        captions: Captions of images and views, by transform; None without captions.
    """

    record: Mapping[str, Any]
    words: DirectionWords | None = None
    word_shares: WordShares | None = None
    labels: Mapping[str, LabelShifts] | None = None
    labels_count: int = 0
    captions: Mapping[str, CaptionShifts] | None = None


class HoldsTexts(Protocol):
    """Facts with those on texts among them."""

    @property
    def texts(self) -> TextFacts | None:
        """What stored texts say; None without texts."""
        ...

    @property
    def texts_left_out(self) -> str:
        """Why stored texts are not shown; empty where they are, or where there are none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoneTexts:
    """The facts on texts alone, of a run whose network is not explained.

    Attributes:
        texts: What stored texts say; None without texts.
        texts_left_out: Why stored texts are not shown; empty where they are, or where there are none.
    """

    texts: TextFacts | None = None
    texts_left_out: str = ""


def gather_texts(run: RunTables, *, resamples: int = RESAMPLES, on_step: OnStep = ignore_step) -> LoneTexts:
    """Compute what the stored texts say of a run, or why nothing is said where there are texts.

    Args:
        run: The run.
        resamples: Number of resamples of the images.
        on_step: Receives each step as it begins.
    """
    try:
        kinds = {kind: _count(run, kind) for kind in ("word", "label", "caption")}
        if not any(kinds.values()):
            return LoneTexts()
        if run.count_images() > MOST_IMAGES:
            return LoneTexts(texts_left_out=f"texts are compared for runs of up to {MOST_IMAGES:,} images")
        on_step("words")
        return LoneTexts(texts=_compare_texts(open_stored_texts(run), kinds, resamples=resamples))
    except RunError as error:  # the other facts are still valid
        return LoneTexts(texts_left_out=str(error))


def _count(run: RunTables, kind: str) -> int:
    return len(read_texts(run.folder, kind, fingerprint=run.info["fingerprint"])[0])


def _compare_texts(found: StoredTexts, kinds: Mapping[str, int], *, resamples: int) -> TextFacts:
    return TextFacts(
        record=found.record,
        words=found.words() if kinds["word"] else None,
        word_shares=found.word_shares() if kinds["word"] >= BEST else None,
        labels=found.labels(resamples=resamples) if kinds["label"] else None,
        labels_count=kinds["label"],
        captions=found.captions(resamples=resamples) if kinds["caption"] else None,
    )
