"""The text side of open_clip's networks, read with the tokenizer that open_clip uses for them."""

import math
from typing import Any

import torch
from jaxtyping import Float32

from embshift.core.errors import EncoderError
from embshift.encoders.borrowed.source import read_source
from embshift.encoders.forms.open_clip import find_local_weights, import_open_clip, open_model
from embshift.encoders.texts.encoder import Reader, TextEncoder, TextSpec
from embshift.encoders.texts.network_tokenizer import NetworkTokenizer, open_network_tokenizer

__all__ = ["open_open_clip_texts"]


def open_open_clip_texts(source: str, /, *, device: str, allow_pickle: bool) -> TextEncoder:
    """Open the text side of an encoder of open_clip.

    Args:
        source: As for the encoder: "open_clip:NAME/TAG" or "open_clip:NAME/FILE".
        device: A device as torch spells it.
        allow_pickle: Whether weights may be read from a pickle that is not pinned.

    Raises:
        MissingTokenizerError: The network's tokenizer is not there, or cannot be read.
        UsageError: As for the encoder.
        EncoderError: As for the encoder, or the tokenizer is not that of the network.
        OfflineError: As for the encoder.
    """
    library = import_open_clip()
    borrowed = read_source(source, known=library.list_models(), kind="network of open_clip")
    local = find_local_weights(borrowed, library)
    # The tokenizer comes first: it is small, and what is missing is told before the weights are read.
    tokenizer = open_network_tokenizer(borrowed.name, library, beside=None if local is None else local.parent)
    model, weights = open_model(source, allow_pickle=allow_pickle)
    read = _make_reader(model.to(device), tokenizer, device=device)
    bias = getattr(model, "logit_bias", None)
    spec = TextSpec(
        name=source,
        family="open_clip",
        dim=len(read("a")),
        scale=math.exp(float(model.logit_scale)),
        bias=None if bias is None else float(bias),
        context_length=tokenizer.context,
        tokenizer=tokenizer.digest,
        digest=weights,
    )
    return TextEncoder(spec=spec, read=read, is_cut=tokenizer.is_cut)


def _make_reader(model: Any, tokenizer: NetworkTokenizer, *, device: str) -> Reader:
    entries = int(getattr(model, "text", model).vocab_size)

    def read(text: str) -> Float32[torch.Tensor, " dim"]:
        numbers = tokenizer.tokenize(text)
        if int(numbers.max()) >= entries:
            raise EncoderError(
                f"the tokenizer does not fit the network: {text!r} becomes the token {int(numbers.max())},"
                f" and the network has {entries}; expected the tokenizer of these weights"
            )
        with torch.no_grad():
            return model.encode_text(numbers.to(device), normalize=False)[0].float()

    return read
