"""Text towers of transformers inside networks of open_clip: found without asking the hub each time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from embshift.core.errors import EncoderError, OfflineError
from embshift.core.text_files import load_json
from embshift.encoders.hub import find_hub_file

__all__ = ["find_text_tower"]

_CONFIG = "config.json"


def find_text_tower(name: str, library: Any, /) -> Mapping[str, Any]:
    """Return a network's ``text_cfg`` with a folder in place of a hub name; empty for a tower of open_clip.

    Args:
        name: The library's name of the network.
        library: The library.

    Raises:
        EncoderError: The tower's configuration cannot be read, names code, or is not on the hub.
        OfflineError: It is not in the cache, and the hub does not answer.
    """
    text: dict[str, Any] = library.get_model_config(name)["text_cfg"]
    named = text.get("hf_model_name")
    if not named:
        return {}
    folder = Path(named) if Path(named).is_dir() else _find_in_hub(name, named)
    _check_no_code(folder / _CONFIG)
    return {"text_cfg": {**text, "hf_model_name": str(folder), "hf_model_pretrained": False}}


def _find_in_hub(name: str, named: str) -> Path:
    try:
        return find_hub_file(named, (_CONFIG,)).parent
    except OfflineError as error:
        raise OfflineError(
            f"the configuration of the text tower of '{name}' is not in the local cache, and the hub does not"
            f" answer; fetch it on a connected machine with 'hf download {named} {_CONFIG}' and copy that"
            " machine's cache, or use --encoder lite, which needs no download"
        ) from error


def _check_no_code(file: Path) -> None:
    # Where a configuration names code, transformers would ask on the terminal whether to run it.
    try:
        stated = dict[str, Any](load_json(file))
    except (OSError, ValueError, TypeError) as error:
        raise EncoderError(f"{file} cannot be read ({error}); download it again") from error
    if "auto_map" in stated:
        raise EncoderError(
            f"{file} names code of its own (auto_map), which embshift never runs; expected a text tower that"
            " transformers has itself"
        )
