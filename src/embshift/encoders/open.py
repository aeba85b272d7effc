"""From what the user names to an opened encoder: a registered name, a folder, or a hub name."""

import difflib
import re
from pathlib import Path

from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError, UnknownNameError, UsageError
from embshift.encoders import ENCODERS, EncoderEntry
from embshift.encoders.checkpoints import config_of
from embshift.encoders.devices import choose_device
from embshift.encoders.hub import resolve

__all__ = ["choose_device", "entry_of", "open_encoder"]

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
    """Open an encoder.

    Args:
        source: A registered name such as "lite", a checkpoint's folder, or a hub name "organisation/name".
        device: "auto", or as torch spells it.
        allow_pickle: Whether weights may be read from a pickle that is not pinned.
        precision: Number format of the products: "float32", "float16" or "bfloat16".
        runtime: What runs the encoder: "torch", "compiled" or "openvino".

    Raises:
        UsageError: The name is no encoder's; the nearest names are offered.
        EncoderError: The checkpoint cannot be opened.
        OfflineError: It must be downloaded and the hub does not answer.
    """
    entry = entry_of(source, allow_pickle=allow_pickle)
    return entry.open(
        source,
        device=choose_device(device),
        allow_pickle=allow_pickle,
        precision=precision,
        runtime=runtime,
    )


def entry_of(source: str, /, *, allow_pickle: bool = False) -> EncoderEntry:
    """The registered entry that opens a source; downloads a hub name that is not in the cache."""
    if source in ENCODERS and not ENCODERS[source].model_types:
        return ENCODERS[source]
    if Path(source).is_dir():
        return _family(Path(source))
    if source in ENCODERS:
        raise UsageError(
            f"'{source}' is a family of checkpoints, not one of them; "
            f"give {WANTED}, or a hub name such as openai/clip-vit-base-patch32"
        )
    if re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", source) and not Path(source).exists():
        return _family(resolve(source, allow_pickle=allow_pickle))
    raise _unknown(source)


def _family(folder: Path) -> EncoderEntry:
    stated: str = config_of(folder)["model_type"]
    known = {kind: entry for entry in ENCODERS.values() for kind in entry.model_types}
    if stated in known:
        return known[stated]
    near: list[str] = difflib.get_close_matches(stated, known, n=1)
    hint = f"; the nearest is {near[0]}" if near else ""
    raise EncoderError(
        f"{folder} holds a '{stated}', which no encoder opens{hint}; supported are {', '.join(sorted(known))}"
    )


def _unknown(source: str) -> Exception:
    if Path(source).is_file():
        return UsageError(f"'{source}' is a file; give {WANTED}")
    if "/" in source or "\\" in source:
        return UsageError(f"there is no folder '{source}'; give {WANTED}, or a hub name organisation/name")
    error = UnknownNameError("encoder", source, ENCODERS)
    error.args = (f"{error}; or give {WANTED}, or a hub name organisation/name",)
    return error
