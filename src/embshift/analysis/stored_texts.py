"""The texts that are stored with a run, opened for reading; the network need not be explained."""

from dataclasses import dataclass
from typing import Any

from embshift.analysis import of_words
from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.analysis.words.captions import CaptionShifts
from embshift.analysis.words.directions import DirectionWords
from embshift.analysis.words.labels import LabelShifts
from embshift.analysis.words.shares import WordShares
from embshift.runs.explained import read_texts, read_texts_record
from embshift.runs.tables import RunTables

__all__ = ["StoredTexts", "open_stored_texts"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StoredTexts:
    """What words, labels and captions say of a run's shifts, on all of its images.

    Attributes:
        run: The run's tables.
        record: The content of ``texts.json``.
    """

    run: RunTables
    record: dict[str, Any]

    def names(self, kind: str) -> tuple[str, ...]:
        """Return the stored texts of one kind; nothing if there are none.

        Args:
            kind: "word", "label" or "caption".

        Raises:
            RunError: If the file is damaged, or belongs to another run.
        """
        return tuple(read_texts(self.run.folder, kind, fingerprint=self.run.info["fingerprint"])[0])

    def words(self, *, seed: int = 0) -> DirectionWords:
        """Test which words name the direction in which each transform moves all images of the run.

        Args:
            seed: Seed of the random sign flips.

        Raises:
            RunError: If no words are stored.
        """
        return of_words.name_run_words(self.run, seed=seed)

    def word_shares(self, *, seed: int = 0) -> WordShares:
        """Measure how much of each mean shift the best words explain, beside as many random vectors.

        Args:
            seed: Seed of splits and random vectors.

        Raises:
            RunError: If no words are stored.
        """
        return of_words.measure_run_words(self.run, seed=seed)

    def labels(self, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, LabelShifts]:
        """Compare the labels chosen for images with those for their views, by transform.

        Args:
            resamples: Number of resamples of the images.
            seed: Seed of the resamples.

        Raises:
            RunError: If no labels are stored.
        """
        return of_words.compare_run_labels(self.run, resamples=resamples, seed=seed)

    def captions(self, *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, CaptionShifts]:
        """Compare how close images and their views are to the images' captions, by transform.

        Args:
            resamples: Number of resamples of the images.
            seed: Seed of the resamples.

        Raises:
            RunError: If no captions are stored.
        """
        return of_words.compare_run_captions(self.run, resamples=resamples, seed=seed)


def open_stored_texts(run: RunTables, /) -> StoredTexts:
    """Open the texts that are stored with a run, explained or not.

    Args:
        run: The run.

    Raises:
        RunError: If no texts are stored, or their record cannot be read.
    """
    return StoredTexts(run=run, record=read_texts_record(run.folder))
