"""The text tower of the bundled encoder: it maps texts into the space of the image embeddings.

It is a small transformer over lower-cased byte pairs: pre-norm blocks that see the whole text, the vector at
the end-of-text token, a linear map. ``training/train_text.py`` trains it towards the classifier rows of the
nouns in a text. So it knows words only as far as ImageNet's classes distinguish them: kinds of dog, not happy
dogs.

References:
    Radford et al. (2021), Learning Transferable Visual Models From Natural Language Supervision, section 2.4.
    Sennrich et al. (2016), Neural Machine Translation of Rare Words with Subword Units, section 3.2.
"""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Float32, Int64
from torch.nn import functional as nn

from embshift.core.errors import EncoderError, WeightsError
from embshift.encoders.lite.trunk import Weights

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = [
    "END",
    "HEADS",
    "LENGTH",
    "PADDING",
    "TOKENIZER",
    "embed_texts",
    "list_blocks",
    "load_tokenizer",
    "run_text_tower",
    "tokenize_texts",
]

TOKENIZER = Path(__file__).parent / "data" / "lite_tokenizer.json"
"""The byte pairs, as ``training/train_text.py`` writes them."""

LENGTH = 24
"""Largest number of tokens of a text, including the end of text; a longer text is cut before its end."""

HEADS = 4
PADDING, END = 0, 1
"""Numbers of the token that follows a text and of the token at its end."""


def embed_texts(texts: Sequence[str], /, *, weights: Weights) -> Float32[torch.Tensor, "texts 256"]:
    """Embed texts in the space of the image embeddings; compare by cosine.

    A text is lower-cased and cut after 23 tokens, about 18 words.

    Args:
        texts: At least one.
        weights: Parameters of the tower, as `read_weights` returns them, on the device that computes.

    Returns:
        Vectors of length 1, on the device of the weights. Texts with the same meaning to the network have
        almost the same vector; a text without a known noun has an arbitrary vector.

    Raises:
        EncoderError: `texts` is empty, a single text instead of a list, or holds something that is not a
            text.
        WeightsError: The weights have no text tower, or it does not fit the tokenizer.
    """
    table = _get_token_table(weights)
    tokens = tokenize_texts(_check_texts(texts), entries=len(table)).to(table.device)
    with torch.no_grad():
        return nn.normalize(run_text_tower(tokens, weights=weights), dim=1)


def tokenize_texts(texts: Sequence[str], /, *, entries: int) -> Int64[torch.Tensor, "texts tokens"]:
    """Return token numbers: each row ends with the end of text and is padded to the longest row.

    Args:
        texts: At least one.
        entries: Number of tokens that the tower knows.
    """
    tokenizer = load_tokenizer(TOKENIZER)
    if tokenizer.get_vocab_size() != entries:
        raise WeightsError(
            f"the text tower of encoder 'lite' knows {entries} tokens, its tokenizer {TOKENIZER} has "
            f"{tokenizer.get_vocab_size()}; expected the pair that was trained together; "
            "run: pip install --force-reinstall --no-deps embshift"
        )
    found = [[*encoding.ids[: LENGTH - 1], END] for encoding in tokenizer.encode_batch(list(texts))]
    longest = max(map(len, found))
    return torch.tensor([row + [PADDING] * (longest - len(row)) for row in found])


def run_text_tower(
    tokens: Int64[torch.Tensor, "texts tokens"], /, *, weights: Weights
) -> Float[torch.Tensor, "texts 256"]:
    """Return the raw vectors of token rows; differentiable in the weights."""
    values = weights["text.tokens"][tokens] + weights["text.positions"][: tokens.shape[1]]
    # Padding is masked in every attention; its own rows are computed but never read.
    hidden = torch.zeros_like(tokens, dtype=values.dtype).masked_fill(tokens == PADDING, -torch.inf)
    for name in list_blocks(weights):
        attended = _attend(_apply_norm(values, f"{name}.norm1", weights), hidden, name=name, weights=weights)
        values = values + attended
        wide = nn.gelu(_apply_linear(_apply_norm(values, f"{name}.norm2", weights), f"{name}.wide", weights))
        values = values + _apply_linear(wide, f"{name}.narrow", weights)
    ends = (tokens == END).to(torch.int64).argmax(1)
    pooled = values[torch.arange(len(tokens), device=tokens.device), ends]  # (texts, width)
    return _apply_norm(pooled, "text.norm", weights) @ weights["text.projection"].T


def list_blocks(weights: Weights, /) -> list[str]:
    """Return the prefixes of the tower's blocks, in the order in which they are applied."""
    count = sum(name.startswith("text.blocks.") and name.endswith(".qkv.weight") for name in weights)
    return [f"text.blocks.{index}" for index in range(count)]


def _attend(
    values: Float[torch.Tensor, "texts tokens width"],
    hidden: Float[torch.Tensor, "texts tokens"],
    *,
    name: str,
    weights: Weights,
) -> Float[torch.Tensor, "texts tokens width"]:
    parts = _apply_linear(values, f"{name}.qkv", weights).unflatten(2, (3, HEADS, -1))
    query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (texts, heads, tokens, dim)
    logits = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5 + hidden[:, None, None]
    mixed = torch.softmax(logits, dim=-1) @ value  # (texts, heads, tokens, dim)
    return _apply_linear(mixed.transpose(1, 2).flatten(2), f"{name}.out", weights)


def _apply_linear(
    values: Float[torch.Tensor, "..."], name: str, weights: Weights
) -> Float[torch.Tensor, "..."]:
    return nn.linear(values, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _apply_norm(
    values: Float[torch.Tensor, "..."], name: str, weights: Weights
) -> Float[torch.Tensor, "..."]:
    return nn.layer_norm(values, values.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])


def _check_texts(texts: Sequence[str]) -> Sequence[str]:
    wanted = "expected a list of at least one text"
    if isinstance(texts, str):
        raise EncoderError(f"encoder 'lite' got one text, {texts!r}; {wanted}: [{texts!r}]")
    if not len(texts):
        raise EncoderError(f"encoder 'lite' got no texts; {wanted}")
    for text in texts:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise EncoderError(f"encoder 'lite' got {text!r} among the texts; {wanted}, each of them a str")
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            raise EncoderError(
                f"encoder 'lite' got {text!r}, which holds half a surrogate pair; {wanted}"
                " of whole characters; text.encode('utf-8', 'replace').decode() repairs it"
            )
    return texts


def _get_token_table(weights: Weights) -> Float[torch.Tensor, "entries width"]:
    if "text.tokens" not in weights:
        raise WeightsError(
            "these weights of encoder 'lite' have no text tower ('text.tokens' is missing); expected those "
            "that embshift installs; read them with read_weights"
        )
    return weights["text.tokens"]


@functools.cache
def load_tokenizer(path: Path, /) -> "Tokenizer":
    """Read a tokenizer from its file, once.

    Raises:
        WeightsError: The file cannot be read.
    """
    # Imported late: only texts need this package.
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(
            f"the tokenizer of encoder 'lite' cannot be read from {path} ({error.strerror}); expected "
            "the file that embshift installs; run: pip install --force-reinstall --no-deps embshift"
        ) from error
    # A text may contain the name of the end-of-text token, which is then encoded like any other word.
    tokenizer.encode_special_tokens = True
    return tokenizer
