"""Writing that is never half done: a file gets its name when all of its bytes are on the disk."""

import errno
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from embshift.core.errors import StorageError

__all__ = ["make_storage_error", "read_json", "rename_into_place", "write_aside", "write_json", "write_text"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_aside(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside the target, flush to the disk, rename.

    Args:
        path: Where the file shall stand.
        write: Writes the content to the path that it is handed.

    Raises:
        StorageError: If the disk is full or the folder cannot be written; nothing readable is left behind.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(aside)
        _flush(aside)
        rename_into_place(aside, path)
    except OSError as error:
        written = aside.stat().st_size if aside.exists() else 0
        raise make_storage_error(path, error, written=written) from error
    finally:
        with suppress(OSError):  # there is none, or what hindered writing hinders this too
            aside.unlink()


def rename_into_place(aside: Path, path: Path) -> None:
    """Give a file that is on the disk its name, for good."""
    aside.replace(path)
    _flush(path.parent)


def make_storage_error(path: Path, error: OSError, *, written: int) -> StorageError:
    """Why a file cannot be written, after how many bytes, and what to do."""
    reason = "the disk is full" if error.errno in _FULL else (error.strerror or str(error))
    remedy = "free space" if error.errno in _FULL else "mend that, or give another --out"
    return StorageError(
        f"{path} cannot be written: {reason} (after {written:,} bytes); {remedy}, then run it again"
    )


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all."""
    write_aside(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """A JSON file, whole or not at all; NaN is refused, since it is not JSON."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A file's name need not be text: Python holds such bytes as lone surrogates, which JSON writes so too.
    write_text(path, text.encode("utf-8", "backslashreplace").decode("utf-8"))


def read_json(path: Path) -> dict[str, Any]:
    """The content of a JSON file; ValueError where it holds anything but an object."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no JSON object")
    return cast(dict[str, Any], content)
