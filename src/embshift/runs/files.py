"""Atomic writing: a file gets its name once all of its bytes are on the disk."""

import errno
import json
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from embshift.core.errors import StorageError
from embshift.core.text_files import load_json
from embshift.runs.addresses import find_mirror

__all__ = [
    "format_json",
    "make_storage_error",
    "name_aside",
    "read_json",
    "rename_into_place",
    "write_aside",
    "write_json",
    "write_text",
]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def write_aside(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file under a temporary name, flush it to the disk, and rename it.

    Args:
        path: Final path of the file.
        write: Writes the content to the path that it is given.

    Raises:
        StorageError: If the disk is full or the folder cannot be written; no partial file is left behind.
    """
    aside = name_aside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.unlink(missing_ok=True)  # it could be a link that someone has put there
        write(aside)
        _flush(aside)
        rename_into_place(aside, path)
    except OSError as error:
        written = aside.stat().st_size if os.path.exists(aside) else 0
        raise make_storage_error(path, error, written=written) from error
    finally:
        with suppress(OSError):  # the file is already gone, or the disk refuses this as well
            aside.unlink()


def name_aside(path: Path, *, ending: str = "tmp") -> Path:
    """Return a hidden name beside a path that no other writer takes, on this machine or another.

    Args:
        path: Final path.
        ending: What the name ends in.
    """
    return path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.{ending}")


def rename_into_place(aside: Path, path: Path) -> None:
    """Rename a file that is on the disk, and flush the rename; a run in a store is written there first.

    Raises:
        ResumeError: If another process has written something else into the store.
        StoreError: If the store cannot be reached, or refuses.
    """
    if (found := find_mirror(path)) is not None:
        mirror, names = found
        mirror.store(names, aside)
    aside.replace(path)
    _flush(path.parent)


def make_storage_error(path: Path, error: OSError, *, written: int) -> StorageError:
    """Return the error for a file that cannot be written: the reason, bytes written, and what to do."""
    reason = "the disk is full" if error.errno in _FULL else (error.strerror or str(error))
    remedy = "free some space" if error.errno in _FULL else "solve that, or give another --out"
    return StorageError(
        f"{path} cannot be written: {reason} (after {written:,} bytes); {remedy}, then run the command again"
    )


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file, completely or not at all."""
    write_aside(path, lambda aside: aside.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file, completely or not at all; NaN raises ValueError, since JSON has none."""
    write_text(path, format_json(content))


def format_json(content: Mapping[str, Any]) -> str:
    """Return the text of a JSON file; NaN raises ValueError, since JSON has none."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # File names need not be valid text: Python keeps such bytes as lone surrogates, written here as escapes.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file.

    Raises:
        OSError: If it cannot be read, or is not a regular file.
        ValueError: If it does not hold a JSON object.
    """
    content = load_json(path)
    if not isinstance(content, dict):
        raise ValueError(f"{path} does not hold a JSON object")
    return cast(dict[str, Any], content)
