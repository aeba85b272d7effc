"""Names below a run folder: each leads to a file or a folder there, and no link is followed.

A run folder may come from someone else. A link in it could lead what is written or removed to files outside.
The run folder itself may be reached through links: the user names it.

What a run in a store holds is fetched here, when it is asked for.
"""

import fnmatch
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from embshift.core.errors import RunError
from embshift.core.paths import input_path
from embshift.core.store_addresses import is_store_address
from embshift.core.text_files import describe_kind
from embshift.runs.addresses import find_mirror, run_path
from embshift.runs.explained_schema import EXPLAINED, FOLDER, RECORD, TEXTS, TEXTS_RECORD
from embshift.runs.schema import TABLES
from embshift.runs.stored_names import is_own

__all__ = [
    "FILES",
    "fetch_everything",
    "file_in",
    "find_misplaced",
    "folder_in",
    "holds_file",
    "list_chunks",
    "list_files",
    "list_in",
    "list_views",
    "plan_path",
    "read_chunk_number",
    "release_files",
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
    for name in names:
        _check_name(name, folder)
    if (found := find_mirror(folder)) is not None:
        mirror, above = found
        mirror.fetch((*above, *names))
    return _check(folder, names, stat.S_IFREG)


def holds_file(folder: Path, *names: str) -> bool:
    """Return whether a file is there below a run folder; of a run in a store, nothing is fetched.

    Raises:
        RunError: As in `file_in`.
    """
    if (found := find_mirror(folder)) is not None:
        mirror, above = found
        return mirror.holds((*above, *names))
    return file_in(folder, *names).is_file()


def fetch_everything(folder: Path) -> None:
    """Copy every file of a run in a store onto this machine; of another run, all are here."""
    if (found := find_mirror(folder)) is not None:
        found[0].fetch_everything()


def release_files(folder: Path, files: Iterable[tuple[str, ...]]) -> None:
    """Let go of files below a run folder that this process has written and will not read.

    Where a run in a store is measured in parts, their copies on this machine are removed; else nothing is.
    """
    if (found := find_mirror(folder)) is not None:
        for names in files:
            found[0].release((*found[1], *names))


def plan_path(path: str | os.PathLike[str], /) -> Path:
    """Return the path of a plan's file: as `input_path` reads it, or that of a run in a store, copied here.

    Args:
        path: The path, or an address such as "s3://bucket/runs/a/plan.toml".

    Raises:
        StoreError: If the store cannot be reached, or refuses.
        UsageError: If it is another address.
    """
    if isinstance(path, str) and is_store_address(path) and path.endswith("/plan.toml"):
        return file_in(run_path(path.removesuffix("/plan.toml")), "plan.toml")
    return Path(input_path(path))


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
    found = fnmatch.filter(_list_names(folder, names, place), pattern)
    shown = found if pattern.startswith(".") else [name for name in found if not name.startswith(".")]
    return [place / name for name in sorted(shown)]


def _list_names(folder: Path, names: tuple[str, ...], place: Path) -> Iterable[str]:
    try:
        here = os.listdir(place)
    except FileNotFoundError:
        here = []
    except OSError as error:
        raise RunError(f"{place} cannot be read: {error.strerror}") from error
    if (found := find_mirror(folder)) is None:
        return here
    mirror, above = found
    # Of the run's files only the store tells; unfinished ones are here alone.
    own = [name for name in here if not is_own((*above, *names, name)) and not (place / name).is_dir()]
    return {*own, *mirror.list_names((*above, *names))}


def list_files(folder: Path, *names: str) -> set[str]:
    """Return the names of all regular files of a folder below a run folder; nothing if it is missing.

    Raises:
        RunError: As in `list_in`.
    """
    place = folder_in(folder, *names)
    if (found := find_mirror(folder)) is not None:
        return found[0].list_names((*found[1], *names))
    try:
        with os.scandir(place) as entries:
            return {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise RunError(f"{place} cannot be read: {error.strerror}") from error


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
    found = _find_mode(image)
    return found is None or not stat.S_ISREG(found)


def remove_in(folder: Path, *names: str) -> bool:
    """Remove a file below a run folder, and return whether it was there; of a link, the link is removed.

    Raises:
        RunError: If one of the folders on the way is a link; or if it is itself a folder.
        OSError: If it cannot be removed.
    """
    place = folder_in(folder, *names[:-1]) / _check_name(names[-1], folder)
    stored = find_mirror(folder)
    removed = stored is not None and stored[0].remove((*stored[1], *names))
    found = _find_mode(place)
    if found is None:
        return removed
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
