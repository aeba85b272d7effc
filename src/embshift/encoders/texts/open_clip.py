"""The text side of open_clip's networks, read with open_clip's own tokenizer."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32

from embshift.core.errors import MissingTokenizerError
from embshift.encoders.forms.open_clip import import_open_clip, open_model
from embshift.encoders.texts.encoder import TextEncoder, TextSpec

__all__ = ["open_open_clip_texts"]


def open_open_clip_texts(source: str, /, *, device: str, allow_pickle: bool) -> TextEncoder:
    """Open the text side of an encoder of open_clip.

    Args:
        source: As for the encoder: "open_clip:NAME/TAG" or "open_clip:NAME/FILE".
        device: A device as torch spells it.
        allow_pickle: Whether weights may be read from a pickle that is not pinned.

    Raises:
        MissingTokenizerError: The network does not use the tokenizer that open_clip brings.
        UsageError: As for the encoder.
        EncoderError: As for the encoder.
        OfflineError: As for the encoder.
    """
    library = import_open_clip()
    name = source.partition(":")[2].partition("/")[0]
    tokenizer, digest = _open_tokenizer(name, library)
    model, weights = open_model(source, allow_pickle=allow_pickle)
    model.to(device)
    context = int(tokenizer.context_length)

    def read(text: str) -> Float32[torch.Tensor, " dim"]:
        with torch.no_grad():
            return model.encode_text(tokenizer([text]).to(device), normalize=False)[0].float()

    def is_cut(text: str) -> bool:
        return len(tokenizer.encode(text)) > context - 2  # the start and the end take a place each

    bias = getattr(model, "logit_bias", None)
    spec = TextSpec(
        name=source,
        family="open_clip",
        dim=len(read("a")),
        scale=math.exp(float(model.logit_scale)),
        bias=None if bias is None else float(bias),
        context_length=context,
        tokenizer=digest,
        digest=weights,
    )
    return TextEncoder(spec=spec, read=read, is_cut=is_cut)


def _open_tokenizer(name: str, library: Any) -> tuple[Any, str]:
    """Return the tokenizer that open_clip brings, and a digest of its table and settings.

    Raises:
        MissingTokenizerError: The network uses another one, or one that drops tokens of long texts at random.
    """
    text: dict[str, Any] = (library.get_model_config(name) or {}).get("text_cfg", {})
    settings: dict[str, Any] = text.get("tokenizer_kwargs", {})
    if text.get("hf_tokenizer_name") or "siglip" in name.lower() or settings.get("reduction_mask"):
        raise MissingTokenizerError(
            f"'{name}' reads texts with a tokenizer that open_clip does not bring, so embshift cannot embed"
            " words with it; use text vectors of your own (--vectors)"
        )
    table = Path(str(library.tokenizer.default_bpe())).read_bytes()
    digest = hashlib.sha256(table + json.dumps(settings, sort_keys=True).encode())
    return library.get_tokenizer(name), digest.hexdigest()
