"""Names below a run folder: each leads to a file or a folder there, and no link is followed.

A run folder may come from someone else. A link in it could lead what is written or removed to files outside.
The run folder itself may be reached through links: the user names it.
"""

import fnmatch
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from embshift.core.errors import RunError
from embshift.core.text_files import describe_kind
from embshift.runs.explained_schema import EXPLAINED, FOLDER, RECORD, TEXTS, TEXTS_RECORD
from embshift.runs.schema import TABLES

__all__ = [
    "FILES",
    "file_in",
    "find_misplaced",
    "folder_in",
    "list_chunks",
    "list_in",
    "list_views",
    "read_chunk_number",
    "remove_in",
]

FILES = ("run.json", "plan.toml", "listing.parquet", "match.json", "report.html", ".lock", ".lease", ".owner")
"""Names of the files in a run folder."""

_CHUNKS, _VIEWS, _DRAFTS = "chunk-*.parquet", "*.png", ".*.tmp"
_NUMBERED = re.compile(r"chunk-[0-9]{6}\.parquet|chunk-[1-9][0-9]{6,}\.parquet")


def file_in(folder: Path, *names: str) -> Path:
    """Return the path of a file below a run folder; it is a regular file, or missing.

    Args:
        folder: The run folder.
        names: Names of the folders below it, and of the file.

    Raises:
        RunError: If one of them is a link or something else than expected, or no name of a file.
    """
    return _check(folder, names, stat.S_IFREG)


def folder_in(folder: Path, *names: str) -> Path:
    """Return the path of a folder below a run folder; it is a folder, or missing.

    Raises:
        RunError: As in `file_in`.
    """
    return _check(folder, names, stat.S_IFDIR)


def list_in(folder: Path, *names: str, pattern: str) -> list[Path]:
    """List what a folder below a run folder holds under names of a pattern, sorted; nothing if it is missing.

    What is listed may itself be a link: only `file_in` and `folder_in` tell.

    Raises:
        RunError: As in `file_in`; or if the folder cannot be read.
    """
    place = folder_in(folder, *names)
    try:
        found = fnmatch.filter(os.listdir(place), pattern)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{place} cannot be read: {error.strerror}") from error
    shown = found if pattern.startswith(".") else [name for name in found if not name.startswith(".")]
    return [place / name for name in sorted(shown)]


def list_chunks(folder: Path, table: str) -> list[Path]:
    """List the files of a table's chunks, in order of the chunks.

    Raises:
        RunError: As in `list_in`.
    """
    found = list_in(folder, table, pattern=_CHUNKS)
    return sorted((path for path in found if _NUMBERED.fullmatch(path.name)), key=read_chunk_number)


def read_chunk_number(path: Path) -> int:
    """Return the number of the chunk that a file of `list_chunks` belongs to."""
    return int(path.stem.removeprefix("chunk-"))


def list_views(folder: Path, *, pattern: str = _VIEWS) -> list[Path]:
    """List the files of kept views, sorted.

    Raises:
        RunError: As in `list_in`.
    """
    images = list_in(folder, "views", pattern="*")
    found = [list_in(folder, "views", image.name, pattern=pattern) for image in images if _is_own(image)]
    return [path for paths in found for path in paths]


def _is_own(image: Path) -> bool:
    """Return whether a name among the views may be a view's folder: other programs leave files there."""
    return not stat.S_ISREG(os.lstat(image).st_mode)


def remove_in(folder: Path, *names: str) -> bool:
    """Remove a file below a run folder, and return whether it was there; of a link, the link is removed.

    Raises:
        RunError: If one of the folders on the way is a link; or if it is itself a folder.
        OSError: If it cannot be removed.
    """
    place = folder_in(folder, *names[:-1]) / _check_name(names[-1], folder)
    found = _find_mode(place)
    if found is None:
        return False
    if stat.S_ISDIR(found):
        raise RunError(_describe(place, found, wanted=stat.S_IFREG))
    place.unlink()
    return True


def _check(folder: Path, names: tuple[str, ...], last: int) -> Path:
    place = folder
    for at, name in enumerate(names):
        place = place / _check_name(name, folder)
        wanted = last if at == len(names) - 1 else stat.S_IFDIR
        found = _find_mode(place)
        if found is not None and stat.S_IFMT(found) != wanted:
            raise RunError(_describe(place, found, wanted=wanted))
    return place


def _check_name(name: str, folder: Path) -> str:
    """Return a name that is one step down; tables of a run from elsewhere may hold any text as a name."""
    if name in ("", ".", "..") or "\0" in name or os.path.basename(name) != name:
        raise RunError(f"{name!r} is no name of a file or folder in {folder}: the run was changed")
    return name


def _find_mode(place: Path) -> int | None:
    try:
        return os.lstat(place).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{place} cannot be read: {error}") from error


def _describe(place: Path, found: int, *, wanted: int) -> str:
    if stat.S_ISLNK(found):
        return (
            f"{place} is a link, and none is followed inside a run folder; put {describe_kind(wanted)} in its"
            " place. To keep a run on another disk, move the whole run folder there and link that:"
            " mv RUN DISK/ && ln -s DISK/RUN RUN"
        )
    return f"{place} is {describe_kind(found)}; expected {describe_kind(wanted)}: move it away"


def find_misplaced(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every name of a run folder that is not the file or folder expected there, and a message.

    Names that embshift does not write are left out.
    """
    yield from _misplaced([folder / name for name in FILES], stat.S_IFREG)
    for name in TABLES:
        yield from _misplaced_below(folder, name, patterns=(_CHUNKS, _DRAFTS))
    yield from _misplaced([folder / "figures"], stat.S_IFDIR)
    yield from _misplaced_explained(folder)
    yield from _misplaced(list_in(folder, pattern=_DRAFTS), stat.S_IFREG)
    top = list(_misplaced([folder / "views"], stat.S_IFDIR))
    yield from top
    for image in [] if top else list_in(folder, "views", pattern="*"):
        yield from _misplaced_below(folder, "views", image.name, patterns=(_VIEWS, _DRAFTS))


def _misplaced_explained(folder: Path) -> Iterator[tuple[Path, str]]:
    top = list(_misplaced([folder / FOLDER], stat.S_IFDIR))
    yield from top
    if not top:
        yield from _misplaced(
            [folder / FOLDER / name for name in (RECORD, TEXTS, TEXTS_RECORD)], stat.S_IFREG
        )
        yield from _misplaced(list_in(folder, FOLDER, pattern=_DRAFTS), stat.S_IFREG)
        for name in EXPLAINED:
            yield from _misplaced_below(folder, FOLDER, name, patterns=(_CHUNKS, _DRAFTS))


def _misplaced_below(folder: Path, *names: str, patterns: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    own = list(_misplaced([folder.joinpath(*names)], stat.S_IFDIR))
    yield from own
    for pattern in () if own else patterns:
        yield from _misplaced(list_in(folder, *names, pattern=pattern), stat.S_IFREG)


def _misplaced(places: list[Path], wanted: int) -> Iterator[tuple[Path, str]]:
    for place in places:
        found = _find_mode(place)
        if found is not None and stat.S_IFMT(found) != wanted:
            yield place, _describe(place, found, wanted=wanted)
