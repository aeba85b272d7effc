"""Texts of an explanation: encoded once by the run's encoder, and stored as vectors."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from embshift.analysis.words.vectors import label_vectors
from embshift.core.errors import PlanError, RunError
from embshift.core.progress import Reporter
from embshift.core.words import count_noun
from embshift.images.captions import Captions
from embshift.images.labels import Labels
from embshift.measurement.plan.files import plan_from_content
from embshift.measurement.studies.explain.source_texts import choose_captions, choose_labels
from embshift.runs.explained import (
    has_texts,
    read_texts,
    read_texts_record,
    write_texts,
    write_texts_record,
)
from embshift.runs.listing import Listing
from embshift.runs.places import file_in
from embshift.runs.tables import RunTables

__all__ = ["TextRequest", "store_texts"]

Vectors = Float64[np.ndarray, "texts dim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRequest:
    """The texts that a user asks for.

    Attributes:
        words: A list of words; None for the one that ships, or for none beside vectors of the user's own.
        labels: A file of labels, or "folders"; None for those of the sources.
        captions: A file of captions; None for those of the sources.
        prompts: Texts with ``{}`` that words and labels are put into; none for "a photo of a {}".
        vectors: A Parquet file with the vectors of all texts, in place of a text side; None for none.
    """

    words: str | Path | None = None
    labels: str | Path | None = None
    captions: str | Path | None = None
    prompts: tuple[str, ...] = ()
    vectors: str | Path | None = None

    @property
    def asked(self) -> bool:
        """Whether any text was asked for: without, those that are stored stay."""
        return any(each is not None for each in (self.words, self.labels, self.captions, self.vectors))


def store_texts(run: RunTables, request: TextRequest, *, reporter: Reporter) -> None:
    """Encode the texts of an explanation and store their vectors.

    Words, labels and captions that are stored stay until others of their kind, other prompts, or vectors from
    elsewhere are asked for; what goes is told in a line. The encoder's network is not run, except for the
    text side.

    Args:
        run: The run.
        request: The texts.
        reporter: Who is told what is left out.

    Raises:
        EncoderError: If the encoder cannot read texts, and no vectors are given.
        PlanError: If a file cannot be used.
    """
    if not request.asked and not request.prompts and has_texts(run.folder):
        return
    from embshift.encoders.texts.lite import LITE_QUALITIES
    from embshift.encoders.texts.word_list import PROMPT, choose_words, read_words

    stored = _read_stored(run)
    prompts = request.prompts or _keep_prompts(stored, request) or (PROMPT,)
    kept = _keep_rows(stored, request, prompts, reporter=reporter)
    # A user's own vectors need not hold the words that ship.
    own = request.vectors is not None
    no_words = "word" in kept or (own and request.words is None)
    family = run.info["encoder"]["family"]
    words, left_out = ((), 0) if no_words else choose_words(read_words(request.words), family=family)
    rows = list(Listing(file_in(run.folder, "listing.parquet")))
    labels = choose_labels(rows, request.labels, unasked=not own and "label" not in kept, reporter=reporter)
    captions = choose_captions(
        rows, request.captions, unasked=not own and "caption" not in kept, reporter=reporter
    )
    source = _open_source(run, request)
    names = [word.text for word in words]
    rows = [
        *_list_rows("word", source.encode_prompted(names, prompts), texts=names),
        *([] if labels is None else _list_labels(labels, source, prompts)),
        *([] if captions is None else _list_captions(captions, source)),
        *(row for rows in kept.values() for row in rows),
    ]
    for line in _list_notes(left_out, LITE_QUALITIES, labels, captions, source.count_cut(captions)):
        reporter.note(line)
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    write_texts(run.folder, table, fingerprint=run.info["fingerprint"])
    of_words = {"words_left_out": left_out, "why_left_out": LITE_QUALITIES if left_out else ""}
    if stored is not None and "word" in kept:
        of_words = {name: stored.record[name] for name in of_words}
    write_texts_record(
        run.folder,
        {
            "fingerprint": run.info["fingerprint"],
            "scale": source.scale,
            "bias": source.bias,
            "prompts": list(prompts),
            **of_words,
            "own_vectors": own,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stored:
    """Texts that are stored already.

    Attributes:
        record: What is known of them.
        rows: Their rows, by kind.
    """

    record: dict[str, Any]
    rows: dict[str, list[dict[str, Any]]]


def _read_stored(run: RunTables) -> _Stored | None:
    """Return what is stored; None without, and where it is damaged or of another run."""
    fingerprint = str(run.info["fingerprint"])
    if not has_texts(run.folder):
        return None
    try:
        record = read_texts_record(run.folder)
        rows = {kind: _read_rows(run, kind) for kind in ("word", "label", "truth", "caption")}
    except RunError:
        return None
    return _Stored(record=record, rows=rows) if record.get("fingerprint") == fingerprint else None


def _read_rows(run: RunTables, kind: str) -> list[dict[str, Any]]:
    texts, keys, vectors = read_texts(run.folder, kind, fingerprint=run.info["fingerprint"])
    return list(_list_rows(kind, vectors.astype(np.float64), texts=texts, keys=keys))


def _keep_prompts(stored: _Stored | None, request: TextRequest) -> tuple[str, ...]:
    """Return the stored prompts where only captions are asked for, which are put into none."""
    only_captions = request.words is None and request.labels is None and request.captions is not None
    return tuple(stored.record["prompts"]) if stored is not None and only_captions else ()


def _keep_rows(
    stored: _Stored | None, request: TextRequest, prompts: Sequence[str], *, reporter: Reporter
) -> dict[str, list[dict[str, Any]]]:
    """Return the stored rows that stay, by kind; tell which labels and captions do not."""
    if stored is None:
        return {}
    asked = {"word": request.words, "label": request.labels, "caption": request.captions}
    left = [kind for kind, given in asked.items() if given is None and stored.rows[kind]]
    own = request.vectors is not None
    if stored.record["prompts"] == list(prompts) and stored.record["own_vectors"] == own:
        return {kind: stored.rows[kind] for kind in [*left, *(["truth"] if "label" in left else [])]}
    gone = [f"{kind}s" for kind in left if kind != "word"]
    if gone:
        reporter.note(
            f"stored {' and '.join(gone)} are removed: they have other prompts, or vectors from elsewhere;"
            " give them again to keep them"
        )
    return {}


_SCHEMA = pa.schema(
    [("kind", pa.string()), ("text", pa.string()), ("key", pa.string()), ("vector", pa.list_(pa.float32()))]
)


def _list_rows(
    kind: str, vectors: Vectors, *, texts: Sequence[str], keys: Iterable[str] | None = None
) -> Iterator[dict[str, Any]]:
    named = [""] * len(texts) if keys is None else keys
    for text, key, vector in zip(texts, named, vectors, strict=True):
        yield {"kind": kind, "text": text, "key": key, "vector": vector.astype(np.float32)}


def _list_labels(labels: Labels, source: "_Source", prompts: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield from _list_rows("label", source.encode_prompted(labels.names, prompts), texts=labels.names)
    for row, at in enumerate(labels.truth):
        if at >= 0:
            yield {"kind": "truth", "text": labels.names[at], "key": str(row), "vector": []}


def _list_captions(captions: Captions, source: "_Source") -> Iterator[dict[str, Any]]:
    keys = [str(row) for row in captions.owners]
    yield from _list_rows("caption", source.encode(captions.texts), texts=captions.texts, keys=keys)


def _list_notes(
    left_out: int, why: str, labels: Labels | None, captions: Captions | None, cut: int
) -> Iterator[str]:
    if left_out:
        yield f"{count_noun(left_out, 'word')} left out: {why}"
    for what, found in (("label", labels), ("caption", captions)):
        if found is not None and found.unmatched:
            yield f"{count_noun(found.unmatched, what)} of images that are not in the run are left out"
    if cut:
        yield f"{count_noun(cut, 'caption')} longer than the encoder's context are cut at its end"


class _Source:
    """Where vectors of texts come from: the encoder's text side, or a user's file."""

    def __init__(
        self,
        *,
        encode: Callable[[Sequence[str]], Vectors],
        scale: float,
        bias: float | None,
        count_cut: Callable[[Sequence[str]], int],
    ) -> None:
        self._encode, self._count_cut = encode, count_cut
        self.scale, self.bias = scale, bias

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return vectors of length 1."""
        found = np.asarray(self._encode(list(texts)), np.float64)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def encode_prompted(self, names: Sequence[str], prompts: Sequence[str]) -> Vectors:
        """Return, for each name, the mean of its vectors in all prompts, of length 1."""
        from embshift.encoders.texts.word_list import fill_prompt

        if not names:
            return np.empty((0, 0))
        return label_vectors(np.stack([self.encode(fill_prompt(prompt, names)) for prompt in prompts]))

    def count_cut(self, captions: Captions | None) -> int:
        """Return how many captions are longer than the context."""
        return 0 if captions is None else int(self._count_cut(list(captions.texts)))


def _open_source(run: RunTables, request: TextRequest) -> _Source:
    if request.vectors is not None:
        return _open_vectors(run, request)
    from embshift.encoders.texts.open import open_texts

    plan = plan_from_content(run.info["plan"])
    texts = open_texts(plan.encoder, device=plan.device, allow_pickle=plan.allow_pickle)

    def encode(given: Sequence[str]) -> Vectors:
        return texts.encode_texts(given).double().cpu().numpy()

    return _Source(
        encode=encode,
        scale=texts.spec.scale,
        bias=texts.spec.bias,
        count_cut=texts.count_cut,
    )


def _count_none(texts: Sequence[str]) -> int:
    """Return 0: vectors that are handed over are of whole texts."""
    del texts
    return 0


def _open_vectors(run: RunTables, request: TextRequest) -> _Source:
    from embshift.encoders.texts.vector_file import read_text_vectors

    assert request.vectors is not None, "asked for"
    found = read_text_vectors(request.vectors, dim=int(run.info["encoder"]["dim"]))
    places = {text: at for at, text in enumerate(found.texts)}

    def look_up(texts: Sequence[str]) -> Vectors:
        missing = [text for text in texts if text not in places]
        if missing:
            raise PlanError(
                f"'{request.vectors}' lacks {count_noun(len(missing), 'text')}, e.g. {missing[0]!r}; expected"
                " one vector for each prompted word and label, and for each caption"
            )
        return found.vectors[[places[text] for text in texts]]

    return _Source(encode=look_up, scale=1.0, bias=None, count_cut=_count_none)
