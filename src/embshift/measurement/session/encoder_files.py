"""Files that an encoder was opened from, by size and time: a finished run need not open them again."""

import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from embshift.core.errors import ShiftError
from embshift.core.paths import input_path
from embshift.core.services import is_service_address, is_settings_file

__all__ = ["encoder_files", "same_files"]

_BUNDLED = "lite"
_SUFFIXES = frozenset({".json", ".safetensors", ".bin"})
_ONNX = ".onnx"
_LIBRARIES = ("open_clip:", "timm:")
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
_SIDECAR = "open_clip_config.json"


def encoder_files(source: str) -> list[dict[str, Any]] | None:
    """Return the files that an encoder was opened from, ready for JSON; None where they are not known.

    Args:
        source: The plan's encoder: a registered name, a checkpoint's folder, an ONNX model, a network of
            another library with a weight file, a hub name, or a service.
    """
    try:
        return _describe_files(_list_files(source))
    except (ShiftError, OSError):
        return None


def _list_files(source: str) -> list[Path]:
    if is_settings_file(source):
        return [path for path in (Path(source),) if path.is_file()]
    if source == _BUNDLED:
        # From the top: to name the package of encoders here would import it, and with it torch.
        weights = Path(str(files("embshift"))) / "encoders" / "lite" / "data"
        return sorted(weights.glob("*.safetensors"))
    if Path(source).is_dir():
        return _list_checkpoint(Path(source))
    if _is_onnx(source):
        # It reads the model for the names of its weights; a finished run is answered without.
        from embshift.encoders.forms.onnx_parts.files import list_model_files

        return list_model_files(Path(source))
    if source.startswith(_LIBRARIES):
        return _list_local_weights(source) or [_find_downloaded_weights(source)]
    return _list_downloaded(source)


def _list_downloaded(source: str) -> list[Path]:
    if "/" not in source or is_service_address(source):
        return []
    # Importing encoders loads torch, which a finished run is answered without.
    from embshift.encoders.hub import resolve_hub_name

    return _list_checkpoint(resolve_hub_name(source, allow_pickle=True))


def _list_local_weights(source: str) -> list[Path]:
    """Return the files in "library:network/file"; none where the weights are a tag, which the hub has."""
    named = source.partition("/")[2]
    file = Path(input_path(named)) if named.endswith(_WEIGHTS) else None
    if file is None or not file.is_file():
        return []
    beside = file.parent / _SIDECAR
    stated = source.startswith("open_clip:") and beside.is_file()
    return [file, beside] if stated else [file]


def _find_downloaded_weights(source: str) -> Path:
    """Return the weight file that a library's name or tag stands for, from the cache."""
    # Importing encoders loads torch, which a finished run is answered without.
    from embshift.encoders.forms.open_clip import find_open_clip_weights
    from embshift.encoders.forms.timm import find_timm_weights
    from embshift.encoders.hub import without_downloads

    find = find_open_clip_weights if source.startswith("open_clip:") else find_timm_weights
    with without_downloads():
        return find(source)


def _is_onnx(source: str) -> bool:
    return source.lower().endswith(_ONNX) and Path(source).is_file()


def _names_local_weights(source: str) -> bool:
    return source.startswith(_LIBRARIES) and bool(_list_local_weights(source))


def _has_settings(model: Path, recorded: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether a model has a TOML file beside it where it had one, and none where it had none."""
    beside = model.with_suffix(".toml").absolute()
    return beside.exists() == any(each["path"] == os.fspath(beside) for each in recorded)


def _list_checkpoint(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES and path.is_file())


def _describe_files(paths: Sequence[Path]) -> list[dict[str, Any]] | None:
    found = [{"path": os.fspath(path.absolute()), **_describe_state(path)} for path in paths]
    return found or None


def _describe_state(path: Path) -> dict[str, int]:
    found = path.stat()
    return {"bytes": found.st_size, "mtime_ns": found.st_mtime_ns}


def same_files(source: str, recorded: Sequence[Mapping[str, Any]] | None) -> bool:
    """Return whether the files are as recorded, by size and time alone; False where none are recorded.

    The address of a service has no files, and a finished run is answered without asking there.

    Args:
        source: The plan's encoder.
        recorded: What `encoder_files` returned.
    """
    if is_service_address(source):
        return True
    if not recorded:
        return False
    try:
        if source == _BUNDLED or Path(source).is_dir() or _names_local_weights(source):
            return encoder_files(source) == recorded
        if _is_onnx(source) and not _has_settings(Path(source), recorded):
            return False
        # What a hub name or a tag stands for, and the weights that a model names, are looked up once, when
        # the run is made.
        return all(_describe_files([Path(each["path"])]) == [each] for each in recorded)
    except (ShiftError, OSError, KeyError, TypeError, ValueError):
        return False
