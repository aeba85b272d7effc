"""The words that shifts are named with: the list that ships with the package, or a user's own."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from embshift.core.errors import PlanError
from embshift.core.paths import input_path
from embshift.core.text_files import read_typed_text

__all__ = ["KINDS", "PROMPT", "WORDS", "Word", "choose_words", "fill_prompt", "read_words"]

WORDS = Path(__file__).parent / "data" / "words.txt"
"""The list that ships with the package."""

PROMPT = "a photo of a {}"
"""Default prompt: the text that a word is put into."""

Kind = Literal["quality", "noun", ""]

KINDS: tuple[Kind, ...] = ("quality", "noun")
"""The kinds that a list may state after a tab."""

_MOST = 20_000
"""Greatest number of words: a list with more is not a list of words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word or phrase to test.

    Attributes:
        text: The word.
        kind: "quality" for a quality of images, "noun" for a thing; empty where the list does not say.
    """

    text: str
    kind: Kind = ""


def read_words(path: str | os.PathLike[str] | None = None, /) -> tuple[Word, ...]:
    """Read a list of words: one word or phrase a line, each once.

    Lines that begin with ``#`` and empty lines are skipped. After a tab a line may state the word's kind,
    "quality" or "noun".

    Args:
        path: The list, UTF-8 or UTF-16 with a byte-order mark; None for the one that ships.

    Raises:
        PlanError: The file cannot be read, a kind is unknown, or there are fewer than two words or more than
            20,000.
    """
    file = WORDS if path is None else Path(input_path(path))
    try:
        lines = read_typed_text(file).splitlines()
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise PlanError(f"list of words '{file}' cannot be read: {told}") from error
    found = dict[str, Word]()
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            word = _read_line(line, file=file, number=number)
            found.setdefault(word.text, word)
    if not 2 <= len(found) <= _MOST:
        raise PlanError(
            f"list of words '{file}' has {len(found):,} different words; expected 2 to {_MOST:,}, one a line"
        )
    return tuple(found.values())


def _read_line(line: str, *, file: Path, number: int) -> Word:
    text, _, kind = line.partition("\t")
    text, kind = " ".join(text.split()), kind.strip()
    if not text or kind not in ("", *KINDS):
        raise PlanError(
            f"line {number} of '{file}' is {line.strip()!r}; expected a word or phrase, alone or with a tab "
            f"and its kind: {' or '.join(KINDS)}"
        )
    return Word(text=text, kind=kind)


def choose_words(words: Sequence[Word], /, *, family: str) -> tuple[tuple[Word, ...], int]:
    """Return the words that an encoder of a family can know, and how many are left out.

    The bundled encoder "lite" knows nouns only, so words of quality are left out for it; `LITE_QUALITIES`
    in ``encoders/texts/lite.py`` is the reason to give.
    """
    kept = tuple(word for word in words if family != "lite" or word.kind != "quality")
    return kept, len(words) - len(kept)


def fill_prompt(prompt: str, words: Sequence[str], /) -> tuple[str, ...]:
    """Put each word in the place of ``{}`` in a prompt.

    Raises:
        PlanError: The prompt does not have exactly one ``{}``.
    """
    if prompt.count("{}") != 1:
        raise PlanError(f"prompt {prompt!r} has {prompt.count('{}')} places {{}}; expected one: {PROMPT!r}")
    return tuple(prompt.replace("{}", word) for word in words)
