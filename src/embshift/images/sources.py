"""Sources become one sorted listing: the same on every machine, whatever order a file system answers in."""

import codecs
import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from embshift.core.errors import PlanError, SourceError
from embshift.core.types import ImageRecord

__all__ = ["SUFFIXES", "list_sources", "stream_sources"]

SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
"""File names that count as pictures in a folder or a glob, in any case."""

_WANTED = "wanted a folder, a picture, a glob or a text file of paths"
_LIST_PROBE = 4096  # bytes read to tell a list of paths from a picture with an odd name


def list_sources(sources: Sequence[Any]) -> tuple[ImageRecord, ...]:
    """`stream_sources`, all at once."""
    return tuple(stream_sources(sources))


def stream_sources(sources: Sequence[Any]) -> Iterator[ImageRecord]:
    """Every picture of the sources, in the order of the sources and sorted within each; a file counts once.

    Of one folder no more is held than the names in one of its folders at every depth. Else all paths are, to
    tell what is named twice.

    Args:
        sources: Folders (searched recursively), picture files, globs, text files of paths (one a line,
            relative to the text file's folder), or pictures in memory (PIL images, uint8 arrays of height x
            width x 3 or height x width).

    Yields:
        Records with ``row`` from 0 on.

    Raises:
        PlanError: If a source does not exist or cannot be looked into.
        SourceError: If there is no source, or one of them holds no picture.
    """
    if not sources:
        raise SourceError("no picture, since no source was given")
    found = (record for source in sources for record in _list_some(source))
    for row, record in enumerate(found if _is_one_folder(sources) else _unique(found)):
        yield replace(record, row=row, index=row if record.path is None else record.index)


def _is_one_folder(sources: Sequence[Any]) -> bool:
    """Whether no file can be named twice."""
    source = sources[0]
    paths = isinstance(source, (str, os.PathLike)) and len(sources) == 1
    return paths and os.path.isdir(os.path.expanduser(os.fspath(source)))


def _list_some(source: Any) -> Iterator[ImageRecord]:
    record = None
    for record in _list_one(source):
        yield record
    if record is None:
        wanted = " ".join(sorted(suffix.removeprefix(".") for suffix in SUFFIXES))
        raise SourceError(f"no picture in {source}; wanted files that end in {wanted} (any case)")


def _unique(records: Iterable[ImageRecord]) -> Iterator[ImageRecord]:
    seen = set[str]()
    for record in records:
        if record.path is None or record.path not in seen:
            yield record
        if record.path is not None:
            seen.add(record.path)


def _list_one(source: Any) -> Iterator[ImageRecord]:
    if not isinstance(source, (str, os.PathLike)):
        yield _memory_record(source)
        return
    text = str(os.fspath(source))
    try:
        found = _list_path(text, Path(os.path.expanduser(text)))
    except OSError as error:
        raise PlanError(f"source '{text}' cannot be read: {error.strerror}; {_WANTED}") from error
    if found is None:
        raise PlanError(f"source '{text}' does not exist; {_WANTED}")
    yield from found


def _list_path(text: str, path: Path) -> Iterable[ImageRecord] | None:
    if not text:  # which `Path` takes for the working folder
        return None
    if path.is_dir():
        return _list_folder(text, path)
    if path.exists():
        return [_file_record(text, path)] if _is_picture(path) else _list_text(text, path)
    return _list_glob(text, str(path)) if glob.has_magic(text) else None


def _memory_record(picture: Any) -> ImageRecord:
    if isinstance(picture, Image.Image):
        return ImageRecord(row=0, source="memory", member="", content=picture)
    if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and _is_picture_shape(picture.shape):
        return ImageRecord(row=0, source="memory", member="", content=picture)
    got = f"{type(picture).__name__} {getattr(picture, 'dtype', '')} {getattr(picture, 'shape', '')}".strip()
    raise PlanError(
        f"a source is {got}; wanted a path, a PIL image, or a uint8 array of height x width x 3 (RGB, 0-255)"
    )


def _is_picture_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)


def _file_record(source: str, path: Path, member: str | None = None) -> ImageRecord:
    return ImageRecord(row=0, source=source, member=member or path.name, path=os.path.abspath(path))


def _is_picture(path: Path) -> bool:
    """By suffix; without a known one, whatever is not text is tried as a picture. Names need not be UTF-8."""
    if path.suffix.lower() in SUFFIXES or not path.is_file():
        return True
    with path.open("rb") as file:
        start = file.read(_LIST_PROBE)
    return b"\0" in start or not (path.suffix.lower() == ".txt" or _is_text(start))


def _is_text(start: bytes) -> bool:
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character cut in two by the probe's end is still text.
        return error.start >= len(start) - 3 and len(start) == _LIST_PROBE
    return True


def _list_folder(source: str, folder: Path) -> Iterator[ImageRecord]:
    top = os.path.abspath(folder)
    for member in _walked(folder):
        path = os.path.normpath(os.path.join(top, member))
        yield ImageRecord(row=0, source=source, member=member, path=path)


def _walked(folder: Path) -> Iterator[str]:
    """Members of a folder in the order of their bytes; of links to folders nothing."""
    open_folders = [iter([("", True)])]
    while open_folders:
        member, is_folder = next(open_folders[-1], (None, False))
        if member is None:
            open_folders.pop()
        elif not is_folder:
            yield member
        else:
            try:
                open_folders.append(iter(_looked_into(folder, member)))
            except OSError:
                # An unreadable folder hides pictures: it becomes a row that says so.
                yield member or "."


def _looked_into(folder: Path, below: str) -> list[tuple[str, bool]]:
    """Pictures and folders of one folder, and which of them are folders, in the order of all paths' bytes."""
    with os.scandir(folder / below) as entries:
        found = [(os.path.join(below, entry.name), _kind(entry)) for entry in entries]
    kept = [(member, kind == "folder") for member, kind in found if kind]
    # A folder's place is that of the paths in it, which go on with a separator.
    return sorted(kept, key=lambda one: _sort_key(one[0] + os.sep * one[1]))


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return "" if entry.is_symlink() else "folder"
    except OSError:  # a link that cannot be followed: what it stands for is told when it is read
        pass
    return "picture" if _has_suffix(entry.name) else ""


def _has_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _sort_key(member: str) -> bytes:
    return os.fsencode(member).replace(os.sep.encode(), b"/")


def _list_glob(source: str, pattern: str) -> list[ImageRecord]:
    deep = "**" in Path(pattern).parts
    paths = sorted(_deep(pattern) if deep else glob.glob(pattern, include_hidden=True), key=_sort_key)
    return [
        _file_record(source, Path(path), path)
        for path in paths
        if _has_suffix(path) and not os.path.isdir(path)
    ]


def _deep(pattern: str) -> Iterator[str]:
    """Like ``glob.glob(recursive=True)``, which follows links to folders and so may never end."""
    parts = Path(pattern).parts
    fixed = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    top = Path(*parts[:fixed])
    for parent, _, names in os.walk(top, followlinks=False):
        below = Path(parent).relative_to(top).parts
        yield from (str(Path(parent, name)) for name in names if _fits((*below, name), parts[fixed:]))


def _fits(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern or not path:
        return not path and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return _fits(path, pattern[1:]) or _fits(path[1:], pattern)
    return fnmatch(path[0], pattern[0]) and _fits(path[1:], pattern[1:])


def _list_text(source: str, file: Path) -> list[ImageRecord]:
    lines = file.read_bytes().removeprefix(codecs.BOM_UTF8).splitlines()
    members = sorted({os.fsdecode(line.strip()) for line in lines if line.strip()}, key=_sort_key)
    return [_file_record(source, file.parent / member, member) for member in members]
