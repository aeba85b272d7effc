"""Tokenizers of open_clip's networks: its own, or one of Hugging Face, called as open_clip does."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64

from embshift.core.addresses import to_one_line
from embshift.core.errors import MissingTokenizerError, OfflineError
from embshift.core.quiet import silence_libraries
from embshift.encoders.checkpoints import check_not_pointer
from embshift.encoders.hub import find_hub_files

__all__ = ["NetworkTokenizer", "open_network_tokenizer"]

_SENTENCE_PIECES = ("spiece.model", "sentencepiece.bpe.model", "tokenizer.model")
_FILES = (
    "config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    *_SENTENCE_PIECES,
    "tokenizer_config.json",
    "tokenizer.json",
)
"""What a tokenizer is read from, as far as a folder has it; all are JSON, text or tables, none a pickle."""

_WHOLE = ("tokenizer_config.json", "tokenizer.json")
"""The last of them to be downloaded."""

_OWN_VECTORS = "use text vectors of your own (--vectors)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NetworkTokenizer:
    """A network's tokenizer.

    Attributes:
        tokenize: Maps a text to the numbers that the network reads.
        is_cut: Tells whether a text is longer than the context.
        context: Largest number of tokens of a text, with those at its start and end.
        digest: SHA-256 over the tokenizer's files and settings, 64 hexadecimal digits.
    """

    tokenize: Callable[[str], Int64[torch.Tensor, "1 tokens"]]
    is_cut: Callable[[str], bool]
    context: int
    digest: str


def open_network_tokenizer(name: str, library: Any, /, *, beside: Path | None) -> NetworkTokenizer:
    """Open the tokenizer that open_clip's table states for a network.

    A tokenizer of Hugging Face is read from the files beside local weights, or else from the hub.
    No code that comes with it runs.

    Args:
        name: The library's name of the network.
        library: The library.
        beside: The folder of local weights; None where they come from the hub.

    Raises:
        MissingTokenizerError: The tokenizer is not there, cannot be read, or does not repeat itself.
        EncoderError: The hub has no such repository, or refuses access to it.
    """
    text: dict[str, Any] = library.get_model_config(name)["text_cfg"]
    settings: dict[str, Any] = text.get("tokenizer_kwargs", {})
    _check_reduction(name, settings.get("reduction_mask"))
    if named := text.get("hf_tokenizer_name"):
        folder = _find_folder(name, str(named), beside=beside)
        context = text.get("context_length", library.tokenizer.DEFAULT_CONTEXT_LENGTH)
        stated = {**settings, "context_length": context, "tokenizer_mode": text.get("tokenizer_mode")}
        return _open_in_folder(folder, library, stated)
    if "siglip" in name.lower():
        raise MissingTokenizerError(
            f"'{name}' states no tokenizer, and open_clip would fetch one by the network's name, from no hub"
            f" and without a digest; state hf_tokenizer_name in its text_cfg, or {_OWN_VECTORS}"
        )
    return _open_bundled(name, library, settings)


def _check_reduction(name: str, way: str | None) -> None:
    """Refuse the tokenizers that make other numbers of the same text, also in evaluation."""
    if not way:
        return
    why = (
        "choose words with a tagger that NLTK downloads and unpickles"
        if way == "syntax"
        else "drop tokens of long texts at random, also in evaluation, so that no vector repeats"
    )
    raise MissingTokenizerError(
        f"the settings of '{name}' (reduction_mask: {way}) {why}; expected a network that cuts long texts at"
        f" their end: remove reduction_mask from its tokenizer_kwargs, or {_OWN_VECTORS}"
    )


def _open_bundled(name: str, library: Any, settings: dict[str, Any]) -> NetworkTokenizer:
    table = Path(str(library.tokenizer.default_bpe())).read_bytes()
    digest = hashlib.sha256(table + json.dumps(settings, sort_keys=True).encode())
    tokenizer: Any = library.get_tokenizer(name)
    context = int(tokenizer.context_length)

    def is_cut(text: str) -> bool:
        return len(tokenizer.encode(text)) > context - 2  # the start and the end take a place each

    return NetworkTokenizer(tokenize=tokenizer, is_cut=is_cut, context=context, digest=digest.hexdigest())


def _find_folder(name: str, named: str, *, beside: Path | None) -> Path:
    """Return the folder that the tokenizer is read from: local files first, as they are what was saved."""
    if beside is not None and _has_vocabulary(beside):
        return beside
    if Path(named).is_dir():
        return Path(named)
    ways = (
        "put tokenizer.json and tokenizer_config.json beside local weights and use"
        f" open_clip:{name}/FILE, or {_OWN_VECTORS}"
    )
    try:
        folder = find_hub_files(named, _FILES, enough=_WHOLE)
    except OfflineError as error:
        raise MissingTokenizerError(
            f"the tokenizer of '{name}' ({named}) is not in the local cache, and the hub does not answer;"
            f" download it on a connected machine with 'hf download {named} --local-dir FOLDER'; then {ways}"
        ) from error
    if folder is None or not _has_vocabulary(folder):
        raise MissingTokenizerError(
            f"the hub's repository '{named}', which open_clip's table states for '{name}', has no tokenizer"
            f" (expected tokenizer.json or a vocabulary); {ways}"
        )
    return folder


def _has_vocabulary(folder: Path) -> bool:
    both = all((folder / file).is_file() for file in ("vocab.json", "merges.txt"))
    return both or any(
        (folder / file).is_file() for file in ("tokenizer.json", "vocab.txt", *_SENTENCE_PIECES)
    )


def _open_in_folder(folder: Path, library: Any, stated: dict[str, Any]) -> NetworkTokenizer:
    files = [folder / name for name in _FILES if (folder / name).is_file()]
    for file in files:
        check_not_pointer(file)
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    digest.update(json.dumps(stated, sort_keys=True).encode())
    # Whatever the network's table says, nothing is downloaded here, and no code from the folder runs.
    options = {**stated, "trust_remote_code": False, "local_files_only": True}
    try:
        with silence_libraries():
            tokenizer: Any = library.tokenizer.HFTokenizer(str(folder), **options)
            tokenizer(["a"])  # the settings may ask for tokens that it does not have
    # The Rust half of the tokenizers raises bare exceptions, and code in the folder a ValueError.
    except Exception as error:
        raise MissingTokenizerError(_explain_unreadable(folder, error)) from error

    def tokenize(text: str) -> Int64[torch.Tensor, "1 tokens"]:
        with silence_libraries():
            return tokenizer([text])

    return NetworkTokenizer(
        tokenize=tokenize,
        is_cut=_make_cut(tokenizer),
        context=int(tokenizer.context_length),
        digest=digest.hexdigest(),
    )


def _make_cut(tokenizer: Any) -> Callable[[str], bool]:
    # In this mode open_clip adds start, end and class token itself, to a text without any.
    clips = tokenizer.tokenizer_mode == "clips"
    places = int(tokenizer.context_length) - (3 if clips else 0)

    def is_cut(text: str) -> bool:
        with silence_libraries():
            found = tokenizer.tokenizer(tokenizer.clean_fn(text), add_special_tokens=not clips)
        return len(found["input_ids"]) > places

    return is_cut


def _explain_unreadable(folder: Path, error: Exception) -> str:
    pieces = next((name for name in _SENTENCE_PIECES if (folder / name).is_file()), "")
    alone = pieces and not (folder / "tokenizer.json").is_file()
    package = f" ({pieces} alone needs the packages sentencepiece and protobuf)" if alone else ""
    return (
        f"the tokenizer in '{folder}' cannot be read as the network states it ({type(error).__name__}:"
        f" {to_one_line(error)[:200] or 'no reason given'}); expected tokenizer.json and"
        f" tokenizer_config.json that transformers opens without code of theirs{package}; download the files"
        " again"
    )
