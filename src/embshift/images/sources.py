"""Listing the sources: one sorted list of images, the same on every machine and file system."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from embshift.core.errors import PlanError, SourceError
from embshift.core.paths import expand_path, find_path
from embshift.core.remote import is_remote_address
from embshift.core.types import Identity, ImageRecord
from embshift.images.braces import expand_braces
from embshift.images.captioned_lists import LISTS, is_captioned, list_captioned
from embshift.images.containers import list_container
from embshift.images.folders import Links, walk_folder
from embshift.images.globs import find_top, list_glob
from embshift.images.kinds import SUFFIXES, explain_left_out, is_compressed, is_container
from embshift.images.left_out import COMPRESSED, CONTAINER, LeftOut
from embshift.images.lists import is_list, read_list
from embshift.images.objects import read_array
from embshift.images.remote_sources import list_remote

__all__ = ["lead_elsewhere", "list_sources", "stream_sources"]

_EXPECTED = "expected a folder, an image file, a glob, a list of paths, or a file .tar, .parquet or .arrow"


def lead_elsewhere(sources: Sequence[Any], /) -> bool:
    """Return whether sources are, or may name, images on other machines, as lists may."""
    texts = [source for source in sources if isinstance(source, (str, os.PathLike))]
    return any(_is_remote(one) or _may_be_list(_find(one)) for one in texts)


def _may_be_list(path: Path | None) -> bool:
    return path is not None and path.suffix.lower() not in SUFFIXES and path.is_file()


def _is_remote(source: str | os.PathLike[str]) -> bool:
    return isinstance(source, str) and is_remote_address(source)


def list_sources(sources: Sequence[Any], *, left: LeftOut | None = None) -> tuple[ImageRecord, ...]:
    """List every image of the sources, as `stream_sources` does, in one tuple."""
    return tuple(stream_sources(sources, left=left))


def stream_sources(sources: Sequence[Any], *, left: LeftOut | None = None) -> Iterator[ImageRecord]:
    """Yield every image of the sources, in the order of the sources and sorted within each.

    A file that is named twice is listed once. Run folders within a source are left out. A link to a folder is
    followed where it leads outside of the sources, once. For a single folder, memory holds only the names in
    one of its subfolders per level of depth. For anything else it holds all paths, to find those that are
    named twice.

    Args:
        sources: Folders (searched recursively), image files, tar archives, globs, numbered files such as
            ``shard-{000..099}.tar``, lists of paths (text with one per line, or a table, relative to the
            list's folder), or images in memory (PIL images, arrays of height x width x 3 or height x width,
            of uint8 or of floats from 0 to 1, tensors of torch). A folder without images, but with archives,
            stands for what they hold. Folders, files, globs and lists may be addresses, such as
            ``s3://bucket/folder``; they are read inside `grant_sources` alone.
        left: Counts what is left out, and why.

    Yields:
        Records with ``row`` counting from 0.

    Raises:
        PlanError: If a source does not exist or cannot be read.
        SourceError: If there is no source, or one of them holds no image.
    """
    if not sources:
        raise SourceError(f"no source given; {_EXPECTED}")
    left = LeftOut() if left is None else left
    links = Links(_list_roots(sources))
    found = (record for source in sources for record in _list_some(source, links=links, left=left))
    for row, record in enumerate(found if _has_no_repeats(sources) else _drop_repeats(found)):
        yield replace(record, row=row, index=row if record.path is None else record.index)


def _list_roots(sources: Sequence[Any]) -> Iterator[Path]:
    """Yield the folders that are searched."""
    for source in sources:
        if isinstance(source, (str, os.PathLike)) and not _is_remote(source):
            path, top = _find(source), find_top(expand_path(source))
            if path is not None and path.is_dir():
                yield path
            elif path is None and top is not None:
                yield top


def _find(source: str | os.PathLike[str]) -> Path | None:
    """Return where a source lies; None where it is not there, e.g. for a glob."""
    try:
        found = find_path(source)
    except OSError as error:
        raise PlanError(f"source '{source}' cannot be read: {error.strerror}; {_EXPECTED}") from error
    return None if found is None else Path(found)


def _has_no_repeats(sources: Sequence[Any]) -> bool:
    """Return whether the sources are a single folder or file of images, in which none can be named twice."""
    if len(sources) != 1 or not isinstance(sources[0], (str, os.PathLike)) or _is_remote(sources[0]):
        return False
    path = _find(sources[0])
    return path is not None and (path.is_dir() or is_container(str(path)) or _is_captioned(path))


def _list_some(source: Any, *, links: Links, left: LeftOut) -> Iterator[ImageRecord]:
    """Yield the images of a source; raise `SourceError` if there is none."""
    record, own = None, LeftOut()
    elsewhere = isinstance(source, str) and is_remote_address(source)
    for record in list_remote(source, left=own) if elsewhere else _list_one(source, links=links, left=own):
        yield record
    left.join(own)
    if record is None:
        suffixes = " ".join(sorted(suffix.removeprefix(".") for suffix in SUFFIXES))
        why = "".join(f"; {line}" for line in own.lines())
        raise SourceError(f"no image in {source}; expected files that end in {suffixes} (any case){why}")


def _drop_repeats(records: Iterable[ImageRecord]) -> Iterator[ImageRecord]:
    seen = set[Identity]()
    for record in records:
        if record.path is None or record.identity not in seen:
            yield record
        if record.path is not None:
            seen.add(record.identity)


def _list_one(source: Any, *, links: Links, left: LeftOut) -> Iterator[ImageRecord]:
    if not isinstance(source, (str, os.PathLike)):
        yield _make_memory_record(source)
        return
    text, path = str(os.fspath(source)), _find(source)
    try:
        if path is None or not path.exists():
            yield from _list_missing(text, links=links, left=left)
        elif path.is_dir():
            yield from _list_folder(text, path, links=links, left=left)
        else:
            yield from _list_file(text, path, left=left)
    except OSError as error:
        raise PlanError(f"source '{text}' cannot be read: {error.strerror}; {_EXPECTED}") from error


def _list_file(text: str, path: Path, *, left: LeftOut) -> Iterator[ImageRecord]:
    """Yield what a file stands for: the images that it holds or lists, or itself."""
    if is_compressed(str(path)):
        raise PlanError(f"source '{text}' is {COMPRESSED.why}")
    if is_container(str(path)):
        yield from list_container(text, path, left=left)
    elif _is_captioned(path):
        yield from list_captioned(text, path, left=left)
    elif path.is_file() and path.suffix.lower() not in SUFFIXES and is_list(path):
        for name, at in read_list(path):
            yield ImageRecord(row=0, source=text, member=name, path=at)
    else:
        yield _make_file_record(text, path)


def _is_captioned(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in LISTS and is_captioned(path)


def _list_missing(text: str, *, links: Links, left: LeftOut) -> Iterator[ImageRecord]:
    """Yield what a source stands for that is no path: the images that a glob or numbered files name."""
    for pattern in expand_braces(expand_path(text)):
        if glob.has_magic(pattern):
            found = list_glob(pattern, links=links, left=left)
        elif os.path.exists(pattern):
            found = [pattern]
        else:
            of = "" if pattern == expand_path(text) else f": '{pattern}'"
            raise PlanError(f"source '{text}' does not exist{of}; {_EXPECTED}")
        for path in found:
            if is_container(path):
                yield from list_container(text, Path(path), left=left)
            else:
                yield _make_file_record(text, Path(path), path)


def _make_memory_record(image: Any) -> ImageRecord:
    if isinstance(image, Image.Image):
        # Pillow keeps the path that an image was opened from; other images have no such attribute.
        name = os.path.basename(str(getattr(image, "filename", "")))
        return ImageRecord(row=0, source="memory", member=name, content=image)
    image = read_array(image)
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and _is_image_shape(image.shape):
        return ImageRecord(row=0, source="memory", member="", content=image)
    got = f"{type(image).__name__} {getattr(image, 'dtype', '')} {getattr(image, 'shape', '')}".strip()
    raise PlanError(
        f"a source is {got}; expected a path, a PIL image, "
        "or a uint8 array of height x width x 3 (RGB, 0-255) or height x width, or floats from 0 to 1"
    )


def _is_image_shape(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)


def _make_file_record(source: str, path: Path, member: str | None = None) -> ImageRecord:
    return ImageRecord(row=0, source=source, member=member or path.name, path=os.path.abspath(path))


def _list_folder(source: str, folder: Path, *, links: Links, left: LeftOut) -> Iterator[ImageRecord]:
    top, closed, is_bare = os.path.abspath(folder), list[Path](), True
    for member, is_shut in walk_folder(folder, links=links, left=left):
        path = os.path.normpath(os.path.join(top, member))
        # An unreadable folder may hide images: it becomes a row that says so.
        reason = None if is_shut else explain_left_out(path)
        if reason is None:
            is_bare = False
            yield ImageRecord(row=0, source=source, member=member, path=path)
        elif reason is CONTAINER and is_bare:
            closed.append(Path(path))
        else:
            left.add(reason, member)
    for path in closed:
        if is_bare:  # a folder of shards, and of nothing else
            yield from list_container(source, path, left=left, lists=False)
        else:
            left.add(CONTAINER, os.path.relpath(path, top))
