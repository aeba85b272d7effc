"""A checkpoint's folder: its configuration and its weights, read without running anything in it.

Safetensors come first. A pickle is read only if its digest is pinned here or if it is allowed by hand, and
then without the parts of pickle that can run code. Code that a folder or its ``auto_map`` brings is ignored:
the library's own class for the ``model_type`` is used.
"""

import hashlib
import importlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from embshift.core.errors import EncoderError, WeightsError

__all__ = ["PINNED", "Weights", "config_of", "open_weights", "weight_files"]

PINNED: dict[str, str] = {
    "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f": (
        "openai/clip-vit-base-patch32, pytorch_model.bin, 605247071 bytes"
    ),
}
"""SHA-256 of the pickles that may be read without asking, and what they are."""

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weights:
    """The tensors of a checkpoint.

    Attributes:
        tensors: By name, on the CPU.
        digest: SHA-256 over the weight files in the order of their names, 64 hexadecimal digits.
    """

    tensors: Mapping[str, torch.Tensor]
    digest: str


def config_of(folder: Path) -> dict[str, Any]:
    """What a folder's ``config.json`` says.

    Raises:
        EncoderError: There is none, it is not JSON, it names no ``model_type``, or its weights are quantised.
    """
    file = folder / "config.json"
    try:
        config: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise EncoderError(
            f"{folder} has no config.json; a folder with config.json, preprocessor_config.json and "
            "model.safetensors is wanted"
        ) from error
    except (OSError, ValueError) as error:
        raise EncoderError(f"{file} cannot be read as JSON ({error}); fetch it again") from error
    stated = cast("dict[str, Any]", config if isinstance(config, dict) else {})
    if not isinstance(stated.get("model_type"), str):
        raise EncoderError(f"{file} names no model_type; a checkpoint saved by transformers is wanted")
    if stated.get("quantization_config"):
        raise EncoderError(f"{file} says that its weights are quantised; take the unquantised checkpoint")
    return stated


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a folder's weights: safetensors if there are any, else pickles.

    Raises:
        WeightsError: There are none, or an index names one that is not there.
    """
    for name in WEIGHTS:
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _shards(index)
    raise WeightsError(
        f"{folder} has no weights; model.safetensors, or its shards and their index, is wanted"
    )


def open_weights(folder: Path, *, allow_pickle: bool) -> Weights:
    """Read a folder's weights.

    Args:
        folder: A checkpoint's folder.
        allow_pickle: Whether a pickle may be read that is not pinned.

    Raises:
        WeightsError: They are missing, cut short, of an unexpected type, or a pickle that is not allowed.
    """
    files = weight_files(folder)
    digest, tensors = hashlib.sha256(), dict[str, torch.Tensor]()
    for file in files:
        own = _digest(file, together=digest)
        _check_blob(file, digest=own)
        tensors.update(_tensors(file, digest=own, allow_pickle=allow_pickle))
    _check_types(tensors)
    return Weights(tensors=tensors, digest=digest.hexdigest())


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{index} is not an index of shards ({error!r}); fetch it again") from error
    # An index must not lead out of its folder.
    missing = [name for name in names if Path(name).name != name or not (index.parent / name).is_file()]
    if missing or not names:
        raise WeightsError(f"{index.parent} lacks {', '.join(missing) or 'shards'}, named in {index.name}")
    return [index.parent / name for name in names]


def _digest(file: Path, *, together: Any) -> str:
    own = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            own.update(block)
            together.update(block)
    return own.hexdigest()


def _check_blob(file: Path, *, digest: str) -> None:
    # The hub's cache links to files named by the SHA-256 of what they should hold.
    name = file.resolve().name
    if file.is_symlink() and re.fullmatch("[0-9a-f]{64}", name) and name != digest:
        raise WeightsError(
            f"{file} is not what was downloaded: its SHA-256 is {digest}; delete it, fetch it again"
        )


def _tensors(file: Path, *, digest: str, allow_pickle: bool) -> Mapping[str, torch.Tensor]:
    if file.suffix == ".safetensors":
        return _safetensors(file)
    if digest not in PINNED and not allow_pickle:
        raise WeightsError(
            f"{file} is a pickle (SHA-256 {digest}), a format that may run code, and not a pinned one; "
            "use a checkpoint with model.safetensors, or trust this one with --allow-pickle"
        )
    return _pickle(file)


def _safetensors(file: Path) -> Mapping[str, torch.Tensor]:
    from safetensors import SafetensorError

    safetensors: Any = importlib.import_module("safetensors.torch")
    try:
        return safetensors.load_file(file)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{file} is damaged or cut short ({error}); fetch it again") from error


def _pickle(file: Path) -> Mapping[str, torch.Tensor]:
    from pickle import UnpicklingError

    try:
        found: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, OSError, ValueError, EOFError, KeyError) as error:
        raise WeightsError(f"{file} cannot be read as weights alone: {error}") from error
    named = cast("Mapping[str, Any]", found if isinstance(found, Mapping) else {"": found})
    if not all(isinstance(value, torch.Tensor) for value in named.values()):
        raise WeightsError(
            f"{file} does not hold tensors by name; a checkpoint saved by transformers is wanted"
        )
    return named


def _check_types(tensors: Mapping[str, torch.Tensor]) -> None:
    # Older files keep the positions' numbers, which are integers, beside the weights.
    wrong = [
        f"{name} ({str(tensor.dtype).removeprefix('torch.')})"
        for name, tensor in tensors.items()
        if tensor.dtype not in DTYPES and not name.endswith("position_ids")
    ]
    if wrong:
        raise WeightsError(f"weights of an unexpected type: {shortened(wrong)}; floating point is wanted")


def shortened(names: Iterable[str], *, most: int = 4) -> str:
    """The first few of many names, and how many more there are."""
    names = sorted(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
