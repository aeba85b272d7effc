"""The text side of the bundled encoder."""

import hashlib

import torch
from jaxtyping import Float32

from embshift.encoders.lite.text import LENGTH, TOKENIZER, load_tokenizer, run_text_tower, tokenize_texts
from embshift.encoders.lite.weight_file import DIGEST, read_weights
from embshift.encoders.texts.encoder import TextEncoder, TextSpec

__all__ = ["LITE_QUALITIES", "LITE_SCALE", "open_lite_texts"]

LITE_SCALE = 1 / 0.07
"""Factor of the cosine in the logits: 1 over the temperature that the text tower was trained with."""

LITE_QUALITIES = (
    "encoder 'lite' knows words only as far as ImageNet's classes distinguish them: nouns; words of "
    "quality (blurry, dark, …) are therefore left out"
)
"""Why words of quality are not tested for this encoder."""


def open_lite_texts(source: str, /, *, device: str) -> TextEncoder:
    """Open the text side of the bundled encoder.

    Args:
        source: The name that the user gave.
        device: A device as torch spells it.

    Raises:
        WeightsError: The weight file or the tokenizer is missing or altered.
    """
    weights = {name: one for name, one in read_weights(device=device).items() if name.startswith("text.")}
    entries = len(weights["text.tokens"])

    def read(text: str) -> Float32[torch.Tensor, " dim"]:
        return run_text_tower(tokenize_texts([text], entries=entries).to(device), weights=weights)[0]

    spec = TextSpec(
        name=source,
        family="lite",
        dim=len(weights["text.projection"]),
        scale=LITE_SCALE,
        bias=None,
        context_length=LENGTH,
        tokenizer=hashlib.sha256(TOKENIZER.read_bytes()).hexdigest(),
        digest=DIGEST,
    )
    return TextEncoder(spec=spec, read=read, is_cut=_is_cut)


def _is_cut(text: str) -> bool:
    # One place is for the end of text.
    return len(load_tokenizer(TOKENIZER).encode(text).ids) > LENGTH - 1
