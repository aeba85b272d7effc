"""The text encoder: texts to raw vectors, each by itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float32

from embshift.core.errors import EncoderError
from embshift.encoders.texts.families import TextFamily, TextTower
from embshift.encoders.texts.texts import check_texts
from embshift.encoders.texts.tokenizing import TextTokenizer

__all__ = ["TextEncoder", "TextSpec", "make_reader"]

Reader = Callable[[str], Float32[torch.Tensor, " dim"]]
"""Maps one text to its raw vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSpec:
    """The properties of an opened text side.

    Attributes:
        name: What the user asked for.
        family: Architecture, as in `EncoderSpec.family`.
        dim: Length of a vector, that of the image embeddings.
        scale: Factor of the cosine of image and text in the encoder's own logits.
        bias: Number added to these logits; None if there is none.
        context_length: Largest number of tokens of a text.
        tokenizer: SHA-256 over the tokenizer's files, 64 hexadecimal digits.
        digest: SHA-256 over the weight files, as in `EncoderSpec.digest`.
    """

    name: str
    family: str
    dim: int
    scale: float
    bias: float | None
    context_length: int
    tokenizer: str
    digest: str


@final
class TextEncoder:
    """The text side of an encoder, open on a device.

    Args:
        spec: How it states itself.
        read: Maps one text to its vector.
        is_cut: Tells whether a text is longer than the context.
    """

    def __init__(self, *, spec: TextSpec, read: Reader, is_cut: Callable[[str], bool]) -> None:
        self._spec = spec
        self._read = read
        self._is_cut = is_cut

    @property
    def spec(self) -> TextSpec:
        """How the text side states itself."""
        return self._spec

    def encode_texts(self, texts: Sequence[str], /) -> Float32[torch.Tensor, "texts dim"]:
        """Return the raw vectors of texts; compare them with image embeddings by cosine.

        Texts are read one at a time, so that no vector depends on the other texts, not even in rounding. A
        text longer than the context is cut at its end; see `count_cut`.

        Args:
            texts: At least one, none of them empty.

        Returns:
            Vectors of any length above 0, on the encoder's device.

        Raises:
            EncoderError: The list or a text is empty, something is not a text, or a vector is not finite.
        """
        check_texts(texts)
        with torch.inference_mode():
            found = torch.stack([self._read(text) for text in texts])
        wrong = (~found.isfinite().all(dim=1)).nonzero().flatten().tolist()
        if wrong:
            raise EncoderError(
                f"encoder '{self._spec.name}' gives a vector that is not finite for {texts[wrong[0]]!r}; "
                "check its weights"
            )
        return found

    def count_cut(self, texts: Sequence[str], /) -> int:
        """Return how many texts are longer than the context, and therefore cut.

        Raises:
            EncoderError: As in `encode_texts`.
        """
        check_texts(texts)
        return sum(self._is_cut(text) for text in texts)


def make_reader(tower: TextTower, tokenizer: TextTokenizer, family: TextFamily, *, device: str) -> Reader:
    """Return the function that maps a text to the vector of a checkpoint's tower.

    Raises:
        EncoderError: The tokenizer is not that of the checkpoint.
    """
    network: Any = tower.network.to(device)
    entries, end = int(network.config.vocab_size), int(network.config.eos_token_id)
    projection = None if tower.projection is None else tower.projection.to(device)
    # A network with end 2 takes the greatest number for the end: an old CLIP configuration states it so.
    greatest = family.name == "clip" and end == 2

    def read(text: str) -> Float32[torch.Tensor, " dim"]:
        numbers = tokenizer.tokenize(text)
        ended = family.padded or (numbers[-1] == (max(numbers) if greatest else end))
        if max(numbers) >= entries or not ended:
            raise EncoderError(
                f"the tokenizer does not fit the text tower: {text!r} becomes {numbers[-8:]} at its end, "
                f"but config.json states {entries} tokens and the end-of-text token {end}; expected the "
                "tokenizer of this checkpoint"
            )
        pooled = network(input_ids=torch.tensor([numbers], device=device)).pooler_output[0]
        return pooled if projection is None else torch.mv(projection, pooled)

    return read
