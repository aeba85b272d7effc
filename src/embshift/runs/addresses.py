"""The runs in stores that this process has open, by the folder of their copies; and their addresses."""

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from embshift.core.caches import CACHE, find_cache
from embshift.core.errors import ShiftError, UsageError
from embshift.core.paths import input_path, output_path
from embshift.core.store_addresses import is_store_address, split_address

if TYPE_CHECKING:
    from embshift.runs.remote.mirror import Mirror

__all__ = [
    "call_folder",
    "describe_folder",
    "find_mirror",
    "forget_listed",
    "is_mirror",
    "name_addresses",
    "output_run",
    "result_path",
    "run_path",
]

_MIRRORS = dict[Path, "Mirror"]()
_DEEPEST = 4  # names from a run's folder down to a file


def run_path(run: str | os.PathLike[str], /, *, fresh: bool = False) -> Path:
    """Return the folder of a run: the one that is named, or that of the copy of a run in a store.

    Args:
        run: A path as `input_path` reads it, or an address such as "s3://bucket/runs/a".
        fresh: Whether files that were copied before are copied again.

    Raises:
        StoreError: If the store cannot be reached, or refuses.
        UsageError: If it is neither, or the folder of copies cannot be written.
    """
    if isinstance(run, str) and is_store_address(run):
        return _open_mirror(run, trusted=not fresh).folder
    return Path(input_path(run))


def output_run(out: str | os.PathLike[str], /) -> Path:
    """Return the folder of a run that is to be written, as `output_path` or `run_path` does."""
    return run_path(out) if isinstance(out, str) and is_store_address(out) else output_path(out)


def find_mirror(path: Path, /) -> "tuple[Mirror, tuple[str, ...]] | None":
    """Return the run in a store whose copy a path belongs to, and the names from the run's folder down.

    None for every other path.
    """
    if not _MIRRORS:
        return None
    names = path.parts
    for count in range(min(_DEEPEST, len(names))):
        folder = path if not count else path.parents[count - 1]
        if (found := _MIRRORS.get(folder)) is not None:
            return found, names[len(names) - count :]
    return None


def is_mirror(folder: Path, /) -> bool:
    """Return whether a folder is the copy of a run in a store."""
    return folder in _MIRRORS


def forget_listed(folder: Path, /) -> None:
    """Forget what the store of a run was seen to hold: other processes have written there since."""
    if (found := _MIRRORS.get(folder)) is not None:
        found.refresh()


def describe_folder(folder: Path, /) -> str:
    """Return the address of a run in a store, and otherwise the path of its folder."""
    return str(folder) if (found := _MIRRORS.get(folder)) is None else found.address


def call_folder(folder: Path, /) -> str:
    """Return what a command beside a run calls it: its folder's name, or its address in a store."""
    return folder.resolve().name if (found := _MIRRORS.get(folder)) is None else found.address


def result_path(folder: Path, name: str, /) -> Path:
    """Return the path of a result that is no part of a run: in its folder, or here for a run in a store.

    Here it is called after the run, as "a-report.html" for "s3://bucket/runs/a".
    """
    return Path(f"{folder.name}-{name}") if folder in _MIRRORS else folder / name


def name_addresses(text: str, /) -> str:
    """Return a text with the addresses of runs in stores in place of their copies' folders."""
    for folder, mirror in list(_MIRRORS.items()):
        text = text.replace(str(folder), mirror.address)
    return text


def _open_mirror(given: str, *, trusted: bool) -> "Mirror":
    # Imports pyarrow, which most of the command line does without.
    from embshift.runs.remote.inventory import Layout
    from embshift.runs.remote.mirror import Mirror
    from embshift.runs.stored_names import AREAS, is_chunk, is_own

    root, key = split_address(given)
    address = f"{root}/{key}".rstrip("/")
    copies = find_cache("runs")
    if copies is None:
        raise UsageError(
            f"{address} needs a copy on this machine, and there is no folder for it; name one in the variable"
            f" {CACHE}"
        )
    folder = copies / hashlib.sha256(address.encode()).hexdigest()[:24] / (key or "run").split("/")[-1]
    known = _MIRRORS.get(folder)
    if known is not None and known.lease is not None:
        return known
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot hold a copy of {address}: {error.strerror}; name another folder in the variable"
            f" {CACHE}"
        ) from error
    layout = Layout(areas=AREAS, is_own=is_own, is_chunk=is_chunk)
    ShiftError.call_instead(str(folder), address)
    found = _MIRRORS[folder] = Mirror(address, folder, layout=layout, trusted=trusted)
    return found
