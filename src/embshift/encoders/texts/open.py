"""Opening of an encoder's text side, by the same source as the encoder itself."""

from pathlib import Path

from embshift.core.addresses import INGESTED
from embshift.core.errors import MissingTokenizerError, NoTextSideError, OfflineError
from embshift.encoders.checkpoints import read_config
from embshift.encoders.devices import choose_device
from embshift.encoders.hub import add_hub_files, resolve_hub_name
from embshift.encoders.open import find_entry
from embshift.encoders.texts.encoder import TextEncoder, TextSpec, make_reader
from embshift.encoders.texts.families import build_text_tower, find_family, open_text_weights
from embshift.encoders.texts.lite import open_lite_texts
from embshift.encoders.texts.open_clip import open_open_clip_texts
from embshift.encoders.texts.tokenizing import TOKENIZER_FILES, has_tokenizer, open_tokenizer
from embshift.encoders.towers.tower import build_config

__all__ = ["open_texts"]


def open_texts(source: str, /, *, device: str, allow_pickle: bool = False) -> TextEncoder:
    """Open the text side of an encoder; only the text tower's weights are loaded.

    Args:
        source: As in `open_encoder`: "lite", a checkpoint's folder, a hub name "organisation/name", or
            "open_clip:NAME/TAG|FILE".
        device: "auto", or a device as torch spells it.
        allow_pickle: Whether weights may be read from a pickle that is not pinned.

    Raises:
        NoTextSideError: The encoder has no text tower.
        MissingTokenizerError: The checkpoint has no tokenizer that can be read.
        UsageError: No encoder has this name; the message offers the nearest names.
        EncoderError: The checkpoint cannot be opened.
        OfflineError: The checkpoint must be downloaded and the hub does not answer.
    """
    if source.startswith(INGESTED):
        raise NoTextSideError(
            f"the embeddings were computed elsewhere and ingested from {source.removeprefix(INGESTED)}: there"
            " is no text side; use text vectors of your own (--vectors)"
        )
    entry = find_entry(source, allow_pickle=allow_pickle)
    if entry.name == "lite":
        return open_lite_texts(source, device=choose_device(device))
    if entry.name == "open_clip":
        return open_open_clip_texts(source, device=choose_device(device), allow_pickle=allow_pickle)
    if not entry.model_types:
        raise NoTextSideError(
            f"encoder '{source}' has no text side, so it cannot embed words; use text vectors of your own"
            " (--vectors)"
        )
    folder = _find_folder(source, allow_pickle=allow_pickle)
    stated = read_config(folder)
    family = find_family(stated["model_type"], source=source)
    config = build_config(stated)
    context = int(config.text_config.max_position_embeddings)
    # The tokenizer comes first: it is small, and what is missing is told before the weights are read.
    tokenizer = open_tokenizer(folder, family=family.name, context=context, padded=family.padded)
    weights = open_text_weights(folder, source=source, allow_pickle=allow_pickle)
    tower = build_text_tower(family, config, weights)
    spec = TextSpec(
        name=source,
        family=family.name,
        dim=tower.dim,
        scale=tower.scale,
        bias=tower.bias,
        context_length=context,
        tokenizer=tokenizer.digest,
        digest=weights.digest,
    )
    read = make_reader(tower, tokenizer, family, device=choose_device(device))
    return TextEncoder(spec=spec, read=read, is_cut=tokenizer.is_cut)


def _find_folder(source: str, *, allow_pickle: bool) -> Path:
    """Return a checkpoint's folder; a hub name's tokenizer is downloaded if the cache lacks it."""
    folder = Path(source)
    if folder.is_dir():
        return folder
    folder = resolve_hub_name(source, allow_pickle=allow_pickle)
    if not has_tokenizer(folder):
        try:
            add_hub_files(source, TOKENIZER_FILES)
        except OfflineError as error:
            raise MissingTokenizerError(
                f"the tokenizer of '{source}' is not in the local cache, and the hub does not answer; "
                f"download it on a connected machine with 'hf download {source} --local-dir FOLDER' and use "
                "FOLDER"
            ) from error
    return folder
