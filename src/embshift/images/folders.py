"""Folders: every file below one, in the order of the paths' bytes; run folders and circles are left out."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, final

from embshift.images.left_out import LINK, RUN_FOLDER, LeftOut

__all__ = ["MARKS", "Links", "is_in_run_folder", "is_run_folder", "sort_key", "walk_folder"]

MARKS = (("listing.parquet", "plan.toml"), ("keys.parquet", "views.json"))
"""Files that together tell a run folder, or a folder of written views."""

_RECORD = 4096  # bytes of run.json that hold its first fields


class _Entry(NamedTuple):
    """One name in a folder.

    Attributes:
        member: Path below the folder where the walk began.
        is_folder: Whether it is a folder, or a link to one.
        is_link: Whether it is a link.
        is_linked: Whether it was reached through a link, or is one.
    """

    member: str
    is_folder: bool
    is_link: bool = False
    is_linked: bool = False


@final
class Links:
    """Links to folders that a listing has followed, so that no folder is searched twice.

    A link is followed only where it leads outside of every source: not into one, and not to a folder above
    one. Of several links that lead to one place, or below it, the first is followed.

    Args:
        sources: Folders that are searched.
    """

    def __init__(self, sources: Iterable[str | Path]) -> None:
        self._sources = [os.path.realpath(source) for source in sources]
        self._followed = list[str]()
        self._seen = set[tuple[int, int]]()

    def follow(self, path: Path) -> bool:
        """Return whether a link is to be followed, and take note that it is."""
        target = os.path.realpath(path)
        searched = any(_is_below(target, one) for one in (*self._sources, *self._followed))
        if searched or any(_is_below(source, target) for source in self._sources):
            return False
        self._followed.append(target)
        return True

    def enter(self, path: Path) -> bool:
        """Return whether a folder met through a link is new.

        Raises:
            OSError: If the folder is not there any more.
        """
        found = os.stat(path)
        known = (found.st_dev, found.st_ino) in self._seen
        self._seen.add((found.st_dev, found.st_ino))
        return not known


def _is_below(path: str, folder: str) -> bool:
    """Return whether a path lies in a folder, or is the folder."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def is_run_folder(folder: str | Path) -> bool:
    """Return whether a folder holds written views, or a run: its record, or its listing and its plan."""
    if any(all(os.path.isfile(os.path.join(folder, name)) for name in names) for names in MARKS):
        return True
    record = os.path.join(folder, "run.json")
    try:
        if not os.path.isfile(record):
            return False
        with open(record, "rb") as file:
            start = file.read(_RECORD)
    except OSError:
        return False
    return b'"schema"' in start and b'"fingerprint"' in start


def is_in_run_folder(path: str, below: str = os.sep) -> bool:
    """Return whether a path lies in a run folder, or is one.

    Args:
        path: An absolute path.
        below: The folder at which the search ends; it is not looked at itself.
    """
    while path != below and path != os.path.dirname(path):
        if is_run_folder(path):
            return True
        path = os.path.dirname(path)
    return False


def sort_key(member: str) -> bytes:
    """Return what paths are sorted by: their bytes, with one separator on every system."""
    return os.fsencode(member).replace(os.sep.encode(), b"/")


def walk_folder(folder: Path, *, links: Links, left: LeftOut) -> Iterator[tuple[str, bool]]:
    """Yield the files below a folder in the order of the paths' bytes, and folders that cannot be read.

    Memory holds the names in one folder per level of depth.

    Args:
        folder: Where to begin.
        links: The links followed so far.
        left: Counts the run folders, and the links that are not followed.

    Yields:
        Path below the folder, and whether it is a folder that cannot be read.
    """
    open_folders = [iter([_Entry(member="", is_folder=True)])]
    while open_folders:
        entry = next(open_folders[-1], None)
        if entry is None:
            open_folders.pop()
        elif not entry.is_folder:
            yield entry.member, False
        else:
            try:
                open_folders.append(iter(_open_folder(folder, entry, links=links, left=left)))
            except OSError:
                yield entry.member or ".", True


def _open_folder(top: Path, entry: _Entry, *, links: Links, left: LeftOut) -> list[_Entry]:
    """Return what is in a folder; nothing where it is left out."""
    path = top / entry.member
    in_run = is_in_run_folder(os.path.realpath(path)) if entry.is_link else is_run_folder(path)
    if in_run:
        left.add(RUN_FOLDER, entry.member or str(top))
        return []
    if (entry.is_link and not links.follow(path)) or (entry.is_linked and not links.enter(path)):
        left.add(LINK, entry.member)
        return []
    return _scan_folder(path, entry)


def _scan_folder(path: Path, within: _Entry) -> list[_Entry]:
    """Return what is in a folder, in the order of all paths' bytes."""
    with os.scandir(path) as entries:
        found = [_describe(entry, within) for entry in entries]
    # A folder is sorted by the paths inside it, which continue with a separator.
    return sorted(found, key=lambda one: sort_key(one.member + os.sep * one.is_folder))


def _describe(entry: os.DirEntry[str], within: _Entry) -> _Entry:
    member = os.path.join(within.member, entry.name)
    try:
        if not entry.is_dir():
            return _Entry(member=member, is_folder=False)
    except OSError:  # a link that cannot be followed: `decode` reports its target
        return _Entry(member=member, is_folder=False)
    is_link = entry.is_symlink()
    return _Entry(member=member, is_folder=True, is_link=is_link, is_linked=is_link or within.is_linked)
