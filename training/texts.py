"""Texts on which the text side of ``lite`` is trained, each with the classes of its nouns.

They are nouns in the 80 prompts that OpenAI's CLIP uses for ImageNet, nouns in plain captions, captions with
two nouns, definitions, and WordNet's example sentences of all parts of speech. A fixed share of prompts,
nouns and sentences is held out for validation.
"""

import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from training.words import Knowledge, split, wheel

__all__ = ["Corpus", "Text", "build", "drawn", "plain_forms", "plural"]

OPEN_CLIP, PROMPTS = "open_clip_torch==3.3.0", "open_clip/zero_shot_metadata.py"
SPLIT_SEED = 20261123
HELD_PROMPTS, HELD_NOUNS, HELD_SENTENCES = 8, 0.03, 0.1

SHARES = {"prompt": 0.25, "plain": 0.25, "pair": 0.2, "definition": 0.1, "sentence": 0.2}
"""How often each kind of text is drawn."""

Item = TypeVar("Item")

_MOST_WORDS = 18
_QUALITIES = tuple(
    quality
    for line in (
        "red,blue,green,yellow,black,white,brown,pink,purple,grey,golden,silver,colorful,striped,spotted,old",
        "young,new,modern,big,small,little,large,tiny,very small,huge,happy,sleeping,sitting,wooden,metal",
        "plastic,shiny,dirty,beautiful,ripe,wild,lit,folded,open,closed,broken,male,female,baby",
    )
    for quality in line.split(",")
)
_PLACES = (
    "on a table",
    "on the grass",
    "in the garden",
    "in the snow",
    "on a white background",
    "in the water",
    "on the street",
    "in the sky",
    "at night",
    "in winter",
    "in a room",
    "on the floor",
    "in the sun",
    "in the foreground",
    "from above",
    "up close",
)
_WHOLES = (
    "a pair of",
    "a group of",
    "some",
    "many",
    "two",
    "three",
    "several",
    "a lot of",
    "a bunch of",
    "the",
)
_JOINTS = (
    "and",
    "with",
    "on",
    "next to",
    "beside",
    "in front of",
    "behind",
    "near",
    "under",
    "or",
    ",",
    "in",
    "for",
)
_REMARKS = ("", "", "", ".", ".", "!", "?")


@dataclass(frozen=True, slots=True)
class Text:
    """A text and the classes of each of its nouns."""

    words: str
    nouns: tuple[frozenset[int], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Corpus:
    """The parts that texts are made of; the same every time.

    Attributes:
        nouns: Nouns that the network knows.
        often: Probability of each noun; it grows with the square root of its frequency in WordNet's prose.
        prompts: Prompts with a place for a noun, ``{c}``.
        definitions: A noun and its definition.
        sentences: Example sentences with a noun that the network knows.
        held: Texts for validation by kind: made with held prompts, with held nouns, and held sentences.
        prose: All words that the byte pairs are made from.
    """

    nouns: Sequence[Text]
    often: np.ndarray
    prompts: Sequence[str]
    definitions: Sequence[Text]
    sentences: Sequence[Text]
    held: Mapping[str, Sequence[Text]]
    prose: Sequence[str]


def build(known: Knowledge, /, *, folder: Path) -> Corpus:
    """Return the parts that texts are made of.

    Args:
        known: WordNet and the classes.
        folder: WordNet's files; of verbs, adjectives and adverbs only the sentences are used.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    examples = list(_examples(folder))
    prompts, held_prompts = _parted(read_prompts(), share=HELD_PROMPTS / 80, rng=rng)
    nouns, held_nouns = _parted(list(_nouns(known)), share=HELD_NOUNS, rng=rng)
    sentences, held_sentences = _parted(_covered(examples, known), share=HELD_SENTENCES, rng=rng)
    held_names = {noun.words for noun in held_nouns}
    counts = Counter(word for text in (*examples, *known.wordnet.glosses.values()) for word in split(text))
    weights = np.sqrt([1 + min(counts[noun.words], 400) for noun in nouns])
    return Corpus(
        nouns=nouns,
        often=weights / weights.sum(),
        prompts=prompts,
        definitions=[text for text in _definitions(known) if text.words.partition(":")[0] not in held_names],
        sentences=sentences,
        held={
            "prompts": [_prompted(noun, held_prompts, rng) for noun in nouns[::4]],
            "nouns": [_prompted(noun, prompts, rng) for noun in held_nouns],
            "sentences": held_sentences,
        },
        prose=[*examples, *prompts, *known.wordnet.glosses.values(), *(noun.words for noun in nouns)],
    )


def drawn(corpus: Corpus, /, *, count: int, known: Knowledge, rng: np.random.Generator) -> list[Text]:
    """Draw texts of all kinds, according to their shares."""
    kinds = rng.choice(list(SHARES), p=list(SHARES.values()), size=count)
    texts = [_one(str(kind), corpus=corpus, known=known, rng=rng) for kind in kinds]
    return [text for text in texts if text.nouns]


def read_prompts() -> list[str]:
    """Return the 80 prompts, read as text; no code of the package runs."""
    with zipfile.ZipFile(wheel(OPEN_CLIP)) as archive:
        source = archive.read(PROMPTS).decode()
    block = source.partition("OPENAI_IMAGENET_TEMPLATES = (")[2].partition("\n)")[0]
    return re.findall(r"f'([^']*)'", block)


def plain_forms(noun: str, /) -> list[str]:
    """Return simple captions of a noun, without a full stop."""
    one = f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
    return [
        noun,
        one,
        one,
        one,
        f"the {noun}",
        plural(noun),
        f"this is {one}",
        f"{noun} photo",
        f"one {noun}",
    ]


def plural(noun: str, /) -> str:
    """Return the regular plural."""
    if noun.endswith("man"):
        return noun[:-2] + "en"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "z", "ch", "sh")) else "s")


def _one(kind: str, *, corpus: Corpus, known: Knowledge, rng: np.random.Generator) -> Text:
    if kind == "definition":
        return _shortened(_any(corpus.definitions, rng), rng)
    if kind == "sentence":
        return _any(corpus.sentences, rng)
    first, second = (corpus.nouns[index] for index in rng.choice(len(corpus.nouns), 2, p=corpus.often))
    if kind == "prompt":
        return _prompted(first, corpus.prompts, rng)
    caption = _pair(first, second, rng) if kind == "pair" else _plain(first, rng)
    # Looked up again: next to other words a noun may become part of another, or be lost.
    return Text(caption, tuple(classes for _, classes in known.found(caption)))


def _plain(noun: Text, rng: np.random.Generator) -> str:
    form = int(rng.integers(4))
    quality, remark = _any(_QUALITIES, rng), _any(_REMARKS, rng)
    if form == 0:
        return f"{_any(plain_forms(f'{quality} {noun.words}'), rng)}{remark}"
    if form == 1:
        return f"{_any(plain_forms(noun.words), rng)} {_any(_PLACES, rng)}{remark}"
    if form == 2:
        return f"{_any(_WHOLES, rng)} {plural(noun.words)}{remark}"
    return f"{_any(plain_forms(noun.words), rng)}{remark}"


def _pair(first: Text, second: Text, rng: np.random.Generator) -> str:
    one, other = (_any(plain_forms(noun.words), rng) for noun in (first, second))
    return f"{one} {_any(_JOINTS, rng)} {other}{_any(_REMARKS, rng)}".replace(" ,", ",")


def _prompted(noun: Text, prompts: Sequence[str], rng: np.random.Generator) -> Text:
    return Text(_any(prompts, rng).replace("{c}", noun.words), noun.nouns)


def _shortened(definition: Text, rng: np.random.Generator) -> Text:
    """Return noun and definition, or the definition alone; long definitions are often cut."""
    noun, _, meaning = definition.words.partition(": ")
    parts = split(meaning)[: int(rng.integers(6, _MOST_WORDS))]
    return Text(" ".join(parts if rng.random() < 0.3 else [noun, *parts]), definition.nouns)


def _nouns(known: Knowledge) -> Iterator[Text]:
    for word in known.wordnet.senses:
        if classes := known.of_word(word):
            yield Text(word, (classes,))


def _definitions(known: Knowledge) -> Iterator[Text]:
    for synset, gloss in known.wordnet.glosses.items():
        if classes := known.of_synset(synset):
            meaning = gloss.partition('; "')[0]
            yield from (
                Text(f"{word.lower()}: {meaning}", (classes,)) for word in known.wordnet.lemmas[synset]
            )


def _covered(sentences: Iterable[str], known: Knowledge) -> list[Text]:
    found = [Text(words, tuple(classes for _, classes in known.found(words))) for words in sentences]
    return [text for text in found if text.nouns]


def _examples(folder: Path) -> Iterator[str]:
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="utf-8").splitlines():
            quoted = re.findall(r'"([^"]+)"', line.partition("|")[2])
            yield from (words for words in quoted if 2 <= len(split(words)) <= _MOST_WORDS)


def _parted(
    items: Sequence[Item], *, share: float, rng: np.random.Generator
) -> tuple[list[Item], list[Item]]:
    held = rng.permutation(len(items)) < round(share * len(items))
    kept = [item for item, is_held in zip(items, held, strict=True) if not is_held]
    return kept, [item for item, is_held in zip(items, held, strict=True) if is_held]


def _any(items: Sequence[Item], rng: np.random.Generator) -> Item:
    return items[int(rng.integers(len(items)))]
