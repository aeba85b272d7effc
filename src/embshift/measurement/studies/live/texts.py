"""Words and labels beside a single shift: those stored with the run, or the bundled encoder's own."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from embshift.analysis.words.vectors import centre_texts
from embshift.core.errors import ShiftError
from embshift.runs.explained import has_texts, read_texts, read_texts_record
from embshift.runs.tables import RunTables

__all__ = ["LiveTexts", "load_texts"]

_MOST = 8
"""Words that are shown beside a shift."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveTexts:
    """Texts with their vectors.

    Attributes:
        words: Words.
        word_units: Directions of the words' centred vectors, of length 1; 0 for a word at the centre.
        labels: Labels.
        label_units: Vectors of the labels, of length 1.
    """

    words: tuple[str, ...]
    word_units: Float64[np.ndarray, "words dim"]
    labels: tuple[str, ...]
    label_units: Float64[np.ndarray, "labels dim"]

    def name(self, shift: Float64[np.ndarray, " dim"]) -> tuple[tuple[str, float], ...] | None:
        """Return the words whose directions are nearest to a shift or its opposite, with their cosines.

        This is one image: which words a transform moves images along is tested by ``embshift explain``.
        """
        length = float(np.linalg.norm(shift))
        if not self.words or not length > 0:
            return None
        cosines = self.word_units @ (shift / length)
        order = np.argsort(-np.abs(cosines), kind="stable")[:_MOST]
        return tuple((self.words[at], float(cosines[at])) for at in order.tolist())

    def choose(
        self, original: Float64[np.ndarray, " dim"], view: Float64[np.ndarray, " dim"]
    ) -> tuple[str, str] | None:
        """Return the label of greatest cosine with the original, and that with the view."""
        if len(self.labels) < 2:
            return None
        before, after = (int((self.label_units @ one).argmax()) for one in (original, view))
        return self.labels[before], self.labels[after]


def load_texts(run: RunTables, *, family: str, dim: int, device: str) -> LiveTexts:
    """Return the texts of a run; none where they are damaged, since the run's own numbers still stand.

    Args:
        run: The run.
        family: Family of its encoder; the words that ship are encoded for "lite" alone.
        dim: Length of its embeddings.
        device: The encoder's device.
    """
    none = np.empty((0, dim))
    try:
        words, word_vectors = _read(run, "word", dim)
        labels, label_vectors = _read(run, "label", dim)
        if not words and family == "lite":
            words, word_vectors = _encode_words(device)
        units = _scale(centre_texts(word_vectors)) if len(words) > 1 else none
    except ShiftError:
        return LiveTexts(words=(), word_units=none, labels=(), label_units=none)
    return LiveTexts(
        words=tuple(words[: len(units)]), word_units=units, labels=tuple(labels), label_units=label_vectors
    )


def _read(run: RunTables, kind: str, dim: int) -> tuple[list[str], Float64[np.ndarray, "texts dim"]]:
    fingerprint, none = run.info["fingerprint"], np.empty((0, dim))
    if not has_texts(run.folder) or read_texts_record(run.folder).get("fingerprint") != fingerprint:
        return [], none
    texts, _, vectors = read_texts(run.folder, kind, fingerprint=fingerprint)
    return (texts, _scale(vectors.astype(np.float64))) if vectors.shape[1:] == (dim,) else ([], none)


def _encode_words(device: str) -> tuple[list[str], Float64[np.ndarray, "words dim"]]:
    from embshift.encoders.texts.lite import open_lite_texts
    from embshift.encoders.texts.word_list import PROMPT, choose_words, fill_prompt, read_words

    chosen, _ = choose_words(read_words(), family="lite")
    words = [word.text for word in chosen]
    vectors = open_lite_texts("lite", device=device).encode_texts(fill_prompt(PROMPT, words))
    return words, _scale(vectors.double().cpu().numpy())


def _scale(vectors: Float64[np.ndarray, "texts dim"]) -> Float64[np.ndarray, "texts dim"]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
