"""Checkpoint folders: their configuration and weights, read without running any code from the folder.

Safetensors have priority. A pickle is read only if its digest is pinned here or if the user allows it, and
then without the parts of pickle that can run code. Code in a folder, and its ``auto_map``, is ignored: the
library's own class for the ``model_type`` is used.
"""

import hashlib
import importlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from embshift.core.addresses import to_one_line
from embshift.core.errors import EncoderError, WeightsError
from embshift.core.quiet import silence_libraries
from embshift.core.text_files import load_json
from embshift.encoders.weight_names import unwrap_names

__all__ = [
    "PINNED",
    "CheckpointWeights",
    "check_not_pointer",
    "find_weight_files",
    "open_weight_file",
    "open_weights",
    "read_config",
    "shorten_list",
]

PINNED: dict[str, str] = {
    "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f": (
        "openai/clip-vit-base-patch32, pytorch_model.bin, 605247071 bytes"
    ),
}
"""SHA-256 of the pickles that may be read without permission, and what they are."""

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# A training checkpoint holds the weights beside the state of the training.
_NESTED = ("state_dict_ema", "model_ema", "state_dict", "model")
_POINTER = b"version https://git-lfs.github.com/spec/"
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CheckpointWeights:
    """The tensors of a checkpoint.

    Attributes:
        tensors: By name, without the prefixes of training wrappers, on the CPU.
        digest: SHA-256 of the weight files in the order of their names, 64 hexadecimal digits.
    """

    tensors: Mapping[str, torch.Tensor]
    digest: str


def read_config(folder: Path) -> dict[str, Any]:
    """Read a folder's ``config.json``.

    Raises:
        EncoderError: The file is missing or not JSON, names no ``model_type``, or states quantised weights.
    """
    file = folder / "config.json"
    check_not_pointer(file)
    try:
        config: Any = load_json(file)
    except FileNotFoundError as error:
        raise EncoderError(
            f"'{folder}' has no config.json; expected a folder with config.json, "
            "preprocessor_config.json and model.safetensors"
        ) from error
    except (OSError, ValueError) as error:
        raise EncoderError(f"{file} cannot be read as JSON ({error}); download it again") from error
    stated = cast("dict[str, Any]", config if isinstance(config, dict) else {})
    if not isinstance(stated.get("model_type"), str):
        raise EncoderError(f"{file} has no model_type; expected a checkpoint saved by transformers")
    if stated.get("quantization_config"):
        raise EncoderError(f"{file} states quantised weights; use the checkpoint that is not quantised")
    return stated


def find_weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a folder's weights: safetensors if there are any, else pickles.

    Raises:
        WeightsError: There are none, or an index names a file that does not exist.
    """
    for name in WEIGHTS:
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _find_shards(index)
    if (folder / "adapter_config.json").is_file():
        raise WeightsError(
            f"'{folder}' holds an adapter, not an encoder; merge it into its base (in peft: "
            "merge_and_unload) and save the result"
        )
    raise WeightsError(
        f"'{folder}' has no weights; expected model.safetensors, or its shards and their index"
    )


def open_weights(
    folder: Path, *, allow_pickle: bool, wanted: Callable[[str], bool] | None = None
) -> CheckpointWeights:
    """Read a folder's weights.

    Args:
        folder: A checkpoint's folder.
        allow_pickle: Whether a pickle that is not pinned may be read.
        wanted: Takes a tensor's name in the file, returns whether to keep it; None keeps all. Tensors of
            safetensors that are not wanted are not read into memory.

    Raises:
        WeightsError: The weights are missing, truncated, of an unexpected type, or a pickle that is not
            allowed.
    """
    files = find_weight_files(folder)
    digest, tensors = hashlib.sha256(), dict[str, torch.Tensor]()
    for file in files:
        check_not_pointer(file)
        own = _hash_file(file, together=digest)
        _check_blob(file, digest=own)
        tensors.update(_read_tensors(file, digest=own, allow_pickle=allow_pickle, wanted=wanted or _keep_all))
    _check_types(tensors)
    return CheckpointWeights(tensors=unwrap_names(tensors), digest=digest.hexdigest())


def open_weight_file(file: Path, /, *, allow_pickle: bool) -> CheckpointWeights:
    """Read one weight file; of a training checkpoint, the averaged weights if it has them, else the weights.

    Args:
        file: A file of safetensors, or a pickle.
        allow_pickle: Whether a pickle that is not pinned may be read.

    Raises:
        WeightsError: As in `open_weights`; whole numbers may only be buffers, such as counters.
    """
    check_not_pointer(file)
    digest = hashlib.sha256()
    own = _hash_file(file, together=digest)
    _check_blob(file, digest=own)
    tensors = _read_tensors(file, digest=own, allow_pickle=allow_pickle, wanted=_keep_all, nested=True)
    _check_types({name: one for name, one in tensors.items() if name.endswith((".weight", ".bias"))})
    return CheckpointWeights(tensors=unwrap_names(tensors), digest=own)


def check_not_pointer(file: Path) -> None:
    """Raise an error if a file is a pointer of Git LFS instead of its content.

    Raises:
        WeightsError: It is; a repository was cloned without its large files.
    """
    if not file.is_file():  # whoever reads it says why it cannot be read
        return
    with file.open("rb") as stream:
        start = stream.read(len(_POINTER))
    if start == _POINTER:
        raise WeightsError(
            f"{file} is a Git LFS pointer, not the file itself; run 'git lfs pull' in {file.parent}, or "
            "download the file"
        )


def _find_shards(index: Path) -> list[Path]:
    check_not_pointer(index)
    try:
        names = sorted(set(load_json(index)["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{index} is not an index of shards ({error!r}); download it again") from error
    # An index must not lead out of its folder.
    missing = [name for name in names if Path(name).name != name or not (index.parent / name).is_file()]
    if missing or not names:
        raise WeightsError(f"{index.parent} lacks {', '.join(missing) or 'shards'}, named in {index.name}")
    return [index.parent / name for name in names]


def _hash_file(file: Path, *, together: Any) -> str:
    own = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(1 << 20):
            own.update(block)
            together.update(block)
    return own.hexdigest()


def _check_blob(file: Path, *, digest: str) -> None:
    # The hub's cache links to files whose names are the SHA-256 of their intended content.
    name = file.resolve().name
    if file.is_symlink() and re.fullmatch("[0-9a-f]{64}", name) and name != digest:
        raise WeightsError(
            f"{file} is not what was downloaded: its SHA-256 is {digest}; delete it and download it again"
        )


def _keep_all(name: str) -> bool:
    del name
    return True


def _read_tensors(
    file: Path, *, digest: str, allow_pickle: bool, wanted: Callable[[str], bool], nested: bool = False
) -> Mapping[str, torch.Tensor]:
    if file.suffix == ".safetensors":
        return _read_safetensors(file, wanted=wanted)
    if digest not in PINNED and not allow_pickle:
        raise WeightsError(
            f"{file} is a pickle (SHA-256 {digest}), a format that can run code, and it is not pinned; "
            "use a checkpoint with model.safetensors, or trust this one with --allow-pickle"
        )
    found = _read_pickle(file, nested=nested)
    return {name: tensor for name, tensor in found.items() if wanted(name)}


def _read_safetensors(file: Path, *, wanted: Callable[[str], bool]) -> Mapping[str, torch.Tensor]:
    from safetensors import SafetensorError

    safetensors: Any = importlib.import_module("safetensors")
    try:
        with safetensors.safe_open(file, framework="pt", device="cpu") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys() if wanted(name)}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{file} is damaged or truncated ({error}); download it again") from error


def _read_pickle(file: Path, *, nested: bool) -> Mapping[str, torch.Tensor]:
    from pickle import UnpicklingError

    try:
        with silence_libraries():  # torch announces that it would run a TorchScript program, and refuses to
            found: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, OSError, ValueError, EOFError, KeyError) as error:
        raise WeightsError(
            f"{file} cannot be read as weights only: {to_one_line(error)[:200]}; save its tensors"
            " (state_dict) as safetensors"
        ) from error
    named = cast("Mapping[str, Any]", found if isinstance(found, Mapping) else {"": found})
    if nested:
        named = next((named[key] for key in _NESTED if isinstance(named.get(key), Mapping)), named)
    if not all(isinstance(value, torch.Tensor) for value in named.values()):
        wanted = "them alone or in 'state_dict'" if nested else "a checkpoint saved by transformers"
        raise WeightsError(f"{file} does not hold named tensors; expected {wanted}")
    return named


_INTEGERS = ("position_ids", "relative_position_index", "num_batches_tracked")


def _check_types(tensors: Mapping[str, torch.Tensor]) -> None:
    # Files also keep positions and the count of batches that a norm was trained on, which are integers.
    wrong = [
        f"{name} ({str(tensor.dtype).removeprefix('torch.')})"
        for name, tensor in tensors.items()
        if tensor.dtype not in DTYPES and not name.endswith(_INTEGERS)
    ]
    if wrong:
        raise WeightsError(f"weights of an unexpected type: {shorten_list(wrong)}; expected floating point")


def shorten_list(names: Iterable[str], *, most: int = 4) -> str:
    """Return the first few of many names, and how many more there are."""
    names = sorted(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
