"""Target folders: what embshift writes as a folder of files; nothing but an earlier one is replaced."""

import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import cast

from embshift.core.errors import UsageError
from embshift.core.text_files import describe_kind
from embshift.core.version import __version__
from embshift.runs.files import make_storage_error, name_aside, read_json, rename_into_place, write_json
from embshift.runs.targets import check_place

__all__ = ["MARKER", "check_target_folder", "write_folder_aside"]

MARKER = "embshift-export.json"
"""Name of the file that says what wrote the folder, and which files are its own."""


def check_target_folder(path: Path, *, kind: str) -> Path:
    """Return the path of a folder to be written, unless something else would be lost by it.

    An existing folder is replaced only if it is empty, or holds an earlier one of the same kind and nothing
    beside.

    Args:
        path: The path.
        kind: What is written, as the marker states it.

    Raises:
        UsageError: If a run keeps its results under the path; or if it exists and is anything else.
    """
    check_place(path)
    found = _describe_other(path, kind)
    if found:
        raise UsageError(f"'{path}' {found}, and is not replaced; give another --out")
    return path


def _describe_other(path: Path, kind: str) -> str:
    """Say what the path leads to; nothing where it leads nowhere, or to what may be replaced."""
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISDIR(mode):
            return f"is {describe_kind(mode)}; expected a folder"
        names = set(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or error})"
    foreign = sorted(names - _own_files(path, kind))
    return f"holds '{foreign[0]}', which is not of an earlier export to {kind}" if foreign else ""


def _own_files(path: Path, kind: str) -> set[str]:
    """Return the names of the files that the marker states; none without a marker of this kind."""
    try:
        content = read_json(path / MARKER)
    except (OSError, ValueError):
        return set()
    files = content.get("files")
    if content.get("to") != kind or not isinstance(files, list):
        return set()
    return {MARKER, *map(str, cast(list[object], files))}


def write_folder_aside(path: Path, write: Callable[[Path], object], *, kind: str) -> None:
    """Write a folder of files under a temporary name, mark it, and rename it into its place.

    Args:
        path: Final path of the folder; what `check_target_folder` allows is replaced.
        write: Writes the files into the folder that it is given, none of them in a folder below.
        kind: What is written.

    Raises:
        StorageError: If the disk is full or the folder cannot be written; no partial folder is left behind.
    """
    aside = name_aside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(aside)  # it could be a link that someone has put there
        aside.mkdir()
        write(aside)
        _mark(aside, kind)
        _replace(path, aside)
    except OSError as error:
        raise make_storage_error(path, error, written=_count_bytes(aside)) from error
    finally:
        with suppress(OSError):  # it is already gone, or the disk refuses this as well
            _remove(aside)


def _mark(folder: Path, kind: str) -> None:
    names = sorted(os.listdir(folder))
    for name in names:
        handle = os.open(folder / name, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    write_json(folder / MARKER, {"embshift": __version__, "to": kind, "files": names})


def _replace(path: Path, aside: Path) -> None:
    """Put the new folder in the place of an earlier one, which comes back if that fails."""
    old = name_aside(path, ending="old")
    earlier = os.path.lexists(path)
    if earlier:
        path.rename(old)
    try:
        rename_into_place(aside, path)
    except OSError:
        if earlier:
            old.rename(path)
        raise
    if earlier:
        _remove(old)


def _remove(path: Path) -> None:
    """Remove a folder; of a link, the link."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def _count_bytes(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.iterdir()) if folder.is_dir() else 0
