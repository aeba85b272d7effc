"""The text side of the bundled encoder: texts in, vectors in the space of its image embeddings out.

A small transformer over lower-cased byte pairs: pre-norm blocks that see the whole text, the vector at the
end-of-text token, a linear map. ``training/train_text.py`` trains it towards the classifier rows of the nouns
in a text, so that it knows words as far as ImageNet's classes tell them apart: kinds of dog, not happy dogs.

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

__all__ = ["END", "HEADS", "LENGTH", "PADDING", "TOKENIZER", "blocks", "text_vectors", "token_rows", "tower"]

TOKENIZER = Path(__file__).parent / "data" / "lite_tokenizer.json"
"""Byte pairs, as ``training/train_text.py`` writes them."""

LENGTH = 24
"""Most tokens of a text, the end of text among them; what is longer is cut off before the end."""

HEADS = 4
PADDING, END = 0, 1
"""Numbers of the tokens that stand behind a text and at its end."""


def text_vectors(texts: Sequence[str], /, *, weights: Weights) -> Float32[torch.Tensor, "texts 256"]:
    """Where texts lie in the space of the image embeddings; compare by cosine.

    A text is lower-cased and cut after 23 tokens, about 18 words.

    Args:
        texts: At least one.
        weights: Parameters of the tower, as `read_weights` gives them; on the device that is to compute.

    Returns:
        Vectors of length 1, on the device of the weights. Texts that mean the same to the network have almost
        the same vector; a text without a noun that it knows has some vector all the same.

    Raises:
        EncoderError: `texts` is empty, one text instead of several, or holds what is no text.
        WeightsError: The weights have no text side, or it does not fit the tokenizer.
    """
    table = _table(weights)
    tokens = token_rows(_checked(texts), entries=len(table)).to(table.device)
    with torch.no_grad():
        return nn.normalize(tower(tokens, weights=weights), dim=1)


def token_rows(texts: Sequence[str], /, *, entries: int) -> Int64[torch.Tensor, "texts tokens"]:
    """Token numbers, each row closed by the end of text, then padded to the longest.

    Args:
        texts: At least one.
        entries: How many tokens the tower knows.
    """
    tokenizer = _tokenizer()
    if tokenizer.get_vocab_size() != entries:
        raise WeightsError(
            f"the text side of encoder 'lite' knows {entries} tokens, its tokenizer {TOKENIZER} has "
            f"{tokenizer.get_vocab_size()}; wanted the pair that was trained together; "
            "run: pip install --force-reinstall --no-deps embshift"
        )
    found = [[*encoding.ids[: LENGTH - 1], END] for encoding in tokenizer.encode_batch(list(texts))]
    longest = max(map(len, found))
    return torch.tensor([row + [PADDING] * (longest - len(row)) for row in found])


def tower(
    tokens: Int64[torch.Tensor, "texts tokens"], /, *, weights: Weights
) -> Float[torch.Tensor, "texts 256"]:
    """Raw vectors of token rows; differentiable in the weights."""
    values = weights["text.tokens"][tokens] + weights["text.positions"][: tokens.shape[1]]
    # Padding is kept out of every attention; its own rows are computed and never read.
    hidden = torch.zeros_like(tokens, dtype=values.dtype).masked_fill(tokens == PADDING, -torch.inf)
    for name in blocks(weights):
        attended = _attended(_normed(values, f"{name}.norm1", weights), hidden, name=name, weights=weights)
        values = values + attended
        wide = nn.gelu(_linear(_normed(values, f"{name}.norm2", weights), f"{name}.wide", weights))
        values = values + _linear(wide, f"{name}.narrow", weights)
    ends = (tokens == END).to(torch.int64).argmax(1)
    pooled = values[torch.arange(len(tokens), device=tokens.device), ends]  # (texts, width)
    return _normed(pooled, "text.norm", weights) @ weights["text.projection"].T


def blocks(weights: Weights, /) -> list[str]:
    """Prefixes of the tower's blocks, in the order in which they are applied."""
    count = sum(name.startswith("text.blocks.") and name.endswith(".qkv.weight") for name in weights)
    return [f"text.blocks.{index}" for index in range(count)]


def _attended(
    values: Float[torch.Tensor, "texts tokens width"],
    hidden: Float[torch.Tensor, "texts tokens"],
    *,
    name: str,
    weights: Weights,
) -> Float[torch.Tensor, "texts tokens width"]:
    parts = _linear(values, f"{name}.qkv", weights).unflatten(2, (3, HEADS, -1))
    query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (texts, heads, tokens, dim)
    logits = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5 + hidden[:, None, None]
    mixed = torch.softmax(logits, dim=-1) @ value  # (texts, heads, tokens, dim)
    return _linear(mixed.transpose(1, 2).flatten(2), f"{name}.out", weights)


def _linear(values: Float[torch.Tensor, "..."], name: str, weights: Weights) -> Float[torch.Tensor, "..."]:
    return nn.linear(values, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _normed(values: Float[torch.Tensor, "..."], name: str, weights: Weights) -> Float[torch.Tensor, "..."]:
    return nn.layer_norm(values, values.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])


def _checked(texts: Sequence[str]) -> Sequence[str]:
    wanted = "wanted a list of at least one text"
    if isinstance(texts, str):
        raise EncoderError(f"encoder 'lite' was given one text, {texts!r}; {wanted}: [{texts!r}]")
    if not len(texts):
        raise EncoderError(f"encoder 'lite' was given no texts; {wanted}")
    for text in texts:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise EncoderError(
                f"encoder 'lite' was given {text!r} among the texts; {wanted}, each of them a str"
            )
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            raise EncoderError(
                f"encoder 'lite' was given {text!r}, which holds half a surrogate pair; {wanted}"
                " of whole characters: text.encode('utf-8', 'replace').decode() makes it one"
            )
    return texts


def _table(weights: Weights) -> Float[torch.Tensor, "entries width"]:
    if "text.tokens" not in weights:
        raise WeightsError(
            "these weights of encoder 'lite' have no text side ('text.tokens' is missing); wanted those that "
            "embshift installs; take them from read_weights"
        )
    return weights["text.tokens"]


@functools.cache
def _tokenizer() -> "Tokenizer":
    # Loaded late: the package is needed for texts alone.
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(TOKENIZER.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(
            f"the tokenizer of encoder 'lite' cannot be read from {TOKENIZER} ({error.strerror}); wanted the "
            "file that embshift installs; run: pip install --force-reinstall --no-deps embshift"
        ) from error
    # A text may hold the name of the end of text; it is then spelt out like any other word.
    tokenizer.encode_special_tokens = True
    return tokenizer
