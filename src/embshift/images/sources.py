"""Listing the sources: one sorted list of images, the same on every machine and file system."""

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
"""Suffixes of the files that count as images in a folder or a glob, in upper or lower case."""

_EXPECTED = "expected a folder, an image file, a glob or a text file of paths"
_PROBE = 4096  # bytes read to tell a list of paths from an image whose name has no known suffix


def list_sources(sources: Sequence[Any]) -> tuple[ImageRecord, ...]:
    """List every image of the sources, as `stream_sources` does, in one tuple."""
    return tuple(stream_sources(sources))


def stream_sources(sources: Sequence[Any]) -> Iterator[ImageRecord]:
    """Yield every image of the sources, in the order of the sources and sorted within each.

    A file that is named twice is listed once. For a single folder, memory holds only the names in one of its
    subfolders per level of depth. For anything else it holds all paths, to find those that are named twice.

    Args:
        sources: Folders (searched recursively), image files, globs, text files of paths (one per line,
            relative to the text file's folder), or images in memory (PIL images, uint8 arrays of height x
            width x 3 or height x width).

    Yields:
        Records with ``row`` counting from 0.

    Raises:
        PlanError: If a source does not exist or cannot be read.
        SourceError: If there is no source, or one of them holds no image.
    """
    if not sources:
        raise SourceError(f"no source given; {_EXPECTED}")
    found = (record for source in sources for record in _list_some(source))
    for row, record in enumerate(found if _is_one_folder(sources) else _drop_repeats(found)):
        yield replace(record, row=row, index=row if record.path is None else record.index)


def _is_one_folder(sources: Sequence[Any]) -> bool:
    """Return whether the sources are a single folder, in which no file can be named twice."""
    source = sources[0]
    is_path = isinstance(source, (str, os.PathLike)) and len(sources) == 1
    return is_path and os.path.isdir(os.path.expanduser(os.fspath(source)))


def _list_some(source: Any) -> Iterator[ImageRecord]:
    """Yield the images of a source; raise `SourceError` if there is none."""
    record = None
    for record in _list_one(source):
        yield record
    if record is None:
        suffixes = " ".join(sorted(suffix.removeprefix(".") for suffix in SUFFIXES))
        raise SourceError(f"no image in {source}; expected files that end in {suffixes} (any case)")


def _drop_repeats(records: Iterable[ImageRecord]) -> Iterator[ImageRecord]:
    seen = set[str]()
    for record in records:
        if record.path is None or record.path not in seen:
            yield record
        if record.path is not None:
            seen.add(record.path)


def _list_one(source: Any) -> Iterator[ImageRecord]:
    if not isinstance(source, (str, os.PathLike)):
        yield _make_memory_record(source)
        return
    text = str(os.fspath(source))
    try:
        found = _list_path(text, Path(os.path.expanduser(text)))
    except OSError as error:
        raise PlanError(f"source '{text}' cannot be read: {error.strerror}; {_EXPECTED}") from error
    if found is None:
        raise PlanError(f"source '{text}' does not exist; {_EXPECTED}")
    yield from found


def _list_path(text: str, path: Path) -> Iterable[ImageRecord] | None:
    if not text:  # `Path` would take it for the working folder
        return None
    if path.is_dir():
        return _list_folder(text, path)
    if path.exists():
        return [_make_file_record(text, path)] if _is_image(path) else _list_text(text, path)
    return _list_glob(text, str(path)) if glob.has_magic(text) else None


def _make_memory_record(image: Any) -> ImageRecord:
    if isinstance(image, Image.Image):
        return ImageRecord(row=0, source="memory", member="", content=image)
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and _is_image_shape(image.shape):
        return ImageRecord(row=0, source="memory", member="", content=image)
    got = f"{type(image).__name__} {getattr(image, 'dtype', '')} {getattr(image, 'shape', '')}".strip()
    raise PlanError(
        f"a source is {got}; expected a path, a PIL image, "
        "or a uint8 array of height x width x 3 (RGB, 0-255) or height x width"
    )


def _is_image_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)


def _make_file_record(source: str, path: Path, member: str | None = None) -> ImageRecord:
    return ImageRecord(row=0, source=source, member=member or path.name, path=os.path.abspath(path))


def _is_image(path: Path) -> bool:
    """Return whether a file is taken for an image: by its suffix, or because it does not hold text.

    A text file of paths need not be UTF-8 if its suffix is ``.txt``, since file names need not be.
    """
    if path.suffix.lower() in SUFFIXES or not path.is_file():
        return True
    with path.open("rb") as file:
        start = file.read(_PROBE)
    return b"\0" in start or not (path.suffix.lower() == ".txt" or _is_text(start))


def _is_text(start: bytes) -> bool:
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that the end of the probe cuts in two is still text.
        return error.start >= len(start) - 3 and len(start) == _PROBE
    return True


def _list_folder(source: str, folder: Path) -> Iterator[ImageRecord]:
    top = os.path.abspath(folder)
    for member in _walk_folder(folder):
        path = os.path.normpath(os.path.join(top, member))
        yield ImageRecord(row=0, source=source, member=member, path=path)


def _walk_folder(folder: Path) -> Iterator[str]:
    """Yield the images below a folder in the order of their paths' bytes; links to folders are skipped."""
    open_folders = [iter([("", True)])]
    while open_folders:
        member, is_folder = next(open_folders[-1], (None, False))
        if member is None:
            open_folders.pop()
        elif not is_folder:
            yield member
        else:
            try:
                open_folders.append(iter(_scan_folder(folder, member)))
            except OSError:
                # An unreadable folder may hide images: it becomes a row that says so.
                yield member or "."


def _scan_folder(folder: Path, below: str) -> list[tuple[str, bool]]:
    """Return the images and folders in a folder, and which are folders, in the order of all paths' bytes."""
    with os.scandir(folder / below) as entries:
        found = [(os.path.join(below, entry.name), _find_kind(entry)) for entry in entries]
    kept = [(member, kind == "folder") for member, kind in found if kind]
    # A folder is sorted by the paths inside it, which continue with a separator.
    return sorted(kept, key=lambda one: _sort_key(one[0] + os.sep * one[1]))


def _find_kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return "" if entry.is_symlink() else "folder"
    except OSError:  # a link that cannot be followed: `decode` reports its target
        pass
    return "image" if _has_suffix(entry.name) else ""


def _has_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _sort_key(member: str) -> bytes:
    return os.fsencode(member).replace(os.sep.encode(), b"/")


def _list_glob(source: str, pattern: str) -> list[ImageRecord]:
    is_deep = "**" in Path(pattern).parts
    found = _expand_deep_glob(pattern) if is_deep else glob.glob(pattern, include_hidden=True)
    return [
        _make_file_record(source, Path(path), path)
        for path in sorted(found, key=_sort_key)
        if _has_suffix(path) and not os.path.isdir(path)
    ]


def _expand_deep_glob(pattern: str) -> Iterator[str]:
    """Yield what ``glob.glob(recursive=True)`` finds, but without following links, which may never end."""
    parts = Path(pattern).parts
    fixed = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    top = Path(*parts[:fixed])
    for parent, _, names in os.walk(top, followlinks=False):
        below = Path(parent).relative_to(top).parts
        yield from (str(Path(parent, name)) for name in names if _matches((*below, name), parts[fixed:]))


def _matches(path: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    if not pattern or not path:
        return not path and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return _matches(path, pattern[1:]) or _matches(path[1:], pattern)
    return fnmatch(path[0], pattern[0]) and _matches(path[1:], pattern[1:])


def _list_text(source: str, file: Path) -> list[ImageRecord]:
    lines = file.read_bytes().removeprefix(codecs.BOM_UTF8).splitlines()
    members = sorted({os.fsdecode(line.strip()) for line in lines if line.strip()}, key=_sort_key)
    return [_make_file_record(source, file.parent / member, member) for member in members]
