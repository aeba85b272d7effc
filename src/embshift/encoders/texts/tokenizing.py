"""Tokenizers of checkpoints: read from their own files, without running any code from the folder."""

import hashlib
import importlib
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from embshift.core.errors import MissingTokenizerError
from embshift.core.text_files import load_json
from embshift.encoders.checkpoints import check_not_pointer
from embshift.encoders.towers.tower import suppress_logs

__all__ = ["TOKENIZER_FILES", "TextTokenizer", "has_tokenizer", "open_tokenizer"]

TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
"""The files that a tokenizer is read from, as far as a folder has them; all are JSON or plain text."""

_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextTokenizer:
    """A checkpoint's tokenizer.

    Attributes:
        backend: The library's tokenizer.
        prepare: Changes a text before it is tokenized, as the family was trained.
        context: Largest number of tokens of a text, with those at its start and end.
        padded: Whether a text is padded to `context`.
        digest: SHA-256 over the tokenizer's files, 64 hexadecimal digits.
    """

    backend: Any
    prepare: Callable[[str], str]
    context: int
    padded: bool
    digest: str

    def tokenize(self, text: str, /) -> list[int]:
        """Return the numbers of a text's tokens, cut at the context length."""
        with suppress_logs():
            found = self.backend(
                self.prepare(text),
                truncation=True,
                max_length=self.context,
                padding="max_length" if self.padded else False,
            )
        return list(found["input_ids"])

    def is_cut(self, text: str, /) -> bool:
        """Return whether a text has more tokens than the context holds."""
        with suppress_logs():
            return len(self.backend(self.prepare(text))["input_ids"]) > self.context


def has_tokenizer(folder: Path) -> bool:
    """Return whether a folder holds files that a tokenizer can be read from."""
    both = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    return both or (folder / "tokenizer.json").is_file()


def open_tokenizer(folder: Path, *, family: str, context: int, padded: bool) -> TextTokenizer:
    """Open the tokenizer in a checkpoint's folder, as the library's own class for the checkpoint reads it.

    Args:
        folder: The checkpoint's folder.
        family: Name of its family.
        context: Largest number of tokens of a text.
        padded: Whether texts are padded to it.

    Raises:
        MissingTokenizerError: The folder has no tokenizer files, or they cannot be read.
    """
    if not has_tokenizer(folder):
        raise MissingTokenizerError(_explain_missing(folder))
    files = [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]
    for file in files:
        check_not_pointer(file)
    stated = _read_class(folder)
    backend = _open_backend(folder, stated=stated, family=family)
    if padded and backend.pad_token_id is None:
        raise MissingTokenizerError(
            f"the tokenizer in '{folder}' names no padding token, which a {family} checkpoint needs; "
            "download tokenizer_config.json again"
        )
    return TextTokenizer(
        backend=backend,
        prepare=_choose_preparation(family, stated=stated),
        context=context,
        padded=padded,
        digest=hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest(),
    )


def _explain_missing(folder: Path) -> str:
    only = next((file.name for file in sorted(folder.glob("*.model"))), "")
    found = f"; its {only} needs the package sentencepiece" if only else ""
    return (
        f"'{folder}' has no tokenizer; expected tokenizer.json, or vocab.json and merges.txt, beside the "
        f"weights{found}; copy these files from the checkpoint's page, or save them with transformers: "
        "AutoTokenizer.from_pretrained(NAME).save_pretrained(FOLDER)"
    )


def _read_class(folder: Path) -> str:
    """Return the tokenizer's class as the folder states it; empty if it states none."""
    file = folder / "tokenizer_config.json"
    if not file.is_file():
        return ""
    try:
        stated: Any = load_json(file)
    except (OSError, ValueError) as error:
        raise MissingTokenizerError(f"{file} cannot be read as JSON ({error}); download it again") from error
    named = cast("dict[str, Any]", stated if isinstance(stated, dict) else {}).get("tokenizer_class")
    return named if isinstance(named, str) else ""


def _open_backend(folder: Path, *, stated: str, family: str) -> Any:
    transformers: Any = importlib.import_module("transformers")
    # SigLIP's own class reads its vocabulary with the package sentencepiece; tokenizer.json holds the same.
    plain = _is_first_siglip(family, stated=stated)
    opener = transformers.PreTrainedTokenizerFast if plain else transformers.AutoTokenizer
    try:
        with suppress_logs():
            return opener.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    # The Rust half of the tokenizers raises bare exceptions, and code in the folder a ValueError.
    except Exception as error:
        raise MissingTokenizerError(
            f"the tokenizer in '{folder}' cannot be read ({type(error).__name__}: "
            f"{(str(error).strip() or 'no reason given').splitlines()[0]}); expected a tokenizer.json that "
            "transformers can open; download the tokenizer's files again"
        ) from error


def _is_first_siglip(family: str, *, stated: str) -> bool:
    return family == "siglip" and stated.removesuffix("Fast") in ("", "SiglipTokenizer", "T5Tokenizer")


def _choose_preparation(family: str, *, stated: str) -> Callable[[str], str]:
    """Return what is done to a text first; where tokenizer.json does the same, it does it twice in vain."""
    if _is_first_siglip(family, stated=stated):
        return _canonicalise
    # SigLIP 2 was trained on lower case, whichever class its tokenizer's file states.
    return str.lower if family.startswith("siglip") else _keep


def _canonicalise(text: str) -> str:
    """Lower the case, remove punctuation and surplus spaces, as in the training of SigLIP."""
    return re.sub(r"\s+", " ", text.lower().translate(_PUNCTUATION)).strip()


def _keep(text: str) -> str:
    return text
