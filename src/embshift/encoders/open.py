"""Opening of an encoder by a registered name, a folder, a hub name, or as one of the forms says."""

import difflib
import importlib
import re
from pathlib import Path
from typing import Any, Literal

from embshift.core.addresses import INGESTED
from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError, UnknownNameError, UsageError
from embshift.encoders import ANY_MODEL, ENCODERS, EncoderEntry
from embshift.encoders.checkpoints import read_config
from embshift.encoders.devices import choose_device
from embshift.encoders.hub import resolve_hub_name
from embshift.encoders.speed.half_precision import DTYPES

__all__ = ["choose_device", "find_entry", "find_trust", "open_encoder"]

WANTED = "a folder that holds a checkpoint (config.json, preprocessor_config.json, model.safetensors)"


def open_encoder(
    source: str,
    /,
    *,
    device: str,
    allow_pickle: bool = False,
    precision: str = "float32",
    runtime: str = "torch",
) -> Encoder:
    """Open an encoder by a registered name, a folder or a hub name.

    Args:
        source: A registered name such as "lite", a checkpoint's folder, a hub name "organisation/name", or
            what an entry's ``written`` says, e.g. "package.module:name".
        device: "auto", or a device as torch spells it.
        allow_pickle: Whether weights may be read from a pickle that is not pinned.
        precision: Number format of the products: "float32", "float16" or "bfloat16".
        runtime: What runs the encoder: "torch", "compiled" or "openvino".

    Raises:
        UsageError: No encoder has this name; the message offers the nearest names.
        EncoderError: The checkpoint cannot be opened, or the precision is unknown.
        OfflineError: The checkpoint must be downloaded and the hub does not answer.
    """
    if precision not in DTYPES:
        raise EncoderError(f"precision '{precision}' is unknown; expected {', '.join(DTYPES)}")
    entry = find_entry(source, allow_pickle=allow_pickle)
    return entry.open(
        source,
        device=device if entry.places_itself else choose_device(device),
        allow_pickle=allow_pickle,
        precision=precision,
        runtime=runtime,
    )


def find_entry(source: str, /, *, allow_pickle: bool = False) -> EncoderEntry:
    """Return the registered entry that opens a source; download a hub name that is not in the cache.

    Raises:
        UsageError: As for `open_encoder`.
        EncoderError: If the source stands for embeddings that were ingested, or holds no known checkpoint.
    """
    if source.startswith(INGESTED):
        raise EncoderError(
            f"the embeddings were computed elsewhere and ingested from {source.removeprefix(INGESTED)}: there"
            " is no encoder to open; only 'embshift ingest' continues such a run"
        )
    if source in ENCODERS and not (ENCODERS[source].model_types or ENCODERS[source].written):
        return ENCODERS[source]
    formed = next((entry for entry in ENCODERS.values() if entry.matches and entry.matches(source)), None)
    if formed is not None:
        return formed
    if source and Path(source).is_dir():  # an empty path is the working folder
        return _find_family(Path(source))
    if source in ENCODERS:
        raise UsageError(_explain_form(ENCODERS[source]))
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", source) and not Path(source).exists():
        return _find_family(resolve_hub_name(source, allow_pickle=allow_pickle))
    raise _make_unknown_error(source)


def find_trust(source: str, /) -> Literal["", "code", "remote"]:
    """Return what opening a source can do that a stranger must not decide; see `EncoderEntry`."""
    for entry in ENCODERS.values():
        if entry.matches and entry.matches(source):
            return entry.trust
    return ""


def _explain_form(entry: EncoderEntry) -> str:
    if entry.written:
        return f"'{entry.name}' is a kind of encoder, not an encoder; write it as {entry.written}"
    return (
        f"'{entry.name}' is a family of checkpoints, not a checkpoint; "
        f"give {WANTED}, or a hub name such as openai/clip-vit-base-patch32"
    )


def _find_family(folder: Path) -> EncoderEntry:
    stated: str = read_config(folder)["model_type"]
    known = {kind: entry for entry in ENCODERS.values() for kind in entry.model_types}
    if stated in known:
        return known[stated]
    if stated in _list_image_models():
        return known[ANY_MODEL]
    named = sorted(known.keys() - {ANY_MODEL})
    near: list[str] = difflib.get_close_matches(stated, named, n=1)
    hint = f"; the nearest is {near[0]}" if near else ""
    raise EncoderError(
        f"'{folder}' holds a '{stated}', which no encoder opens{hint}; supported: {', '.join(named)}, and"
        " every other image model of transformers"
    )


def _list_image_models() -> frozenset[str]:
    """Return the values of ``model_type`` for which the library has an image processor or an image tower."""
    auto: Any = importlib.import_module("transformers.models.auto.image_processing_auto")
    return frozenset(auto.IMAGE_PROCESSOR_MAPPING_NAMES) | {"dinov3_convnext"}


def _make_unknown_error(source: str) -> Exception:
    if Path(source).is_file():
        return UsageError(f"'{source}' is a file; give {WANTED}")
    if "/" in source or "\\" in source:
        return UsageError(f"there is no folder '{source}'; give {WANTED}, or a hub name organisation/name")
    error = UnknownNameError("encoder", source, ENCODERS)
    error.args = (f"{error}; or give {WANTED}, or a hub name organisation/name",)
    return error
