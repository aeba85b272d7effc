"""Targets: the files that a user names for what embshift writes; nothing but an earlier one is replaced."""

import mmap
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from embshift.core.errors import UsageError
from embshift.core.text_files import describe_kind
from embshift.runs.explained_schema import FOLDER
from embshift.runs.places import FILES
from embshift.runs.schema import TABLES

__all__ = ["MARKS", "check_place", "check_target", "is_replaceable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mark:
    """How a file that embshift wrote is known: by its first bytes, and by what stands in it."""

    name: str
    start: bytes
    inside: bytes


MARKS = {
    "html": _Mark(name="report", start=b"<!doctype html>", inside=b"<title>embshift report</title>"),
    "comparison": _Mark(
        name="comparison", start=b"<!doctype html>", inside=b"<title>embshift comparison</title>"
    ),
    "png": _Mark(name="PNG figure", start=b"\x89PNG\r\n\x1a\n", inside=b"tEXtSoftware\0embshift "),
    "svg": _Mark(name="SVG figure", start=b"<?xml ", inside=b"<dc:title>embshift "),
    "pdf": _Mark(name="PDF figure", start=b"%PDF-", inside=b"/Creator (embshift "),
    "parquet": _Mark(name="export", start=b"PAR1", inside=b"embshift_export"),
    "md": _Mark(name="model card", start=b"---\n", inside=b"<!-- embshift card "),
    "json": _Mark(name="check record", start=b"{\n", inside=b'"format": "embshift check '),
    "junit": _Mark(name="JUnit file", start=b"<?xml ", inside=b'<testsuites name="embshift check"'),
    "markdown": _Mark(name="check summary", start=b"<!-- embshift check -->", inside=b"embshift check"),
    "sarif": _Mark(name="SARIF file", start=b"{\n", inside=b'"name": "embshift"'),
    "budget": _Mark(name="budget file", start=b"", inside=b"[[budget]]"),  # written by hand as well
}
"""Marks of the files that embshift writes where a user asks for it, by their format."""

_RESULTS = {*FILES, *TABLES, FOLDER, "views"} - {"report.html"}
# Results without their record are still results. Folders of images or views alone may be anyone's.
_SIGNS = ("run.json", "listing.parquet", "shifts", ".lock", ".lease", ".owner")

_STARTS = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG\r\n\x1a\n": "a PNG image",
    b"GIF8": "a GIF image",
    b"II*\0": "a TIFF image",
    b"MM\0*": "a TIFF image",
    b"PAR1": "a Parquet table",
    b"%PDF-": "a PDF document",
    b"PK\x03\x04": "an archive",
}
_PROBE = 4096


def check_target(path: Path, *, kind: str) -> Path:
    """Return the path of a report or figure to be written, unless something else would be lost by it.

    An existing file is replaced only if it is empty, or such a report or figure itself.

    Args:
        path: The path; a link of this name is judged by what it leads to, and is itself replaced.
        kind: A format of `MARKS`.

    Raises:
        UsageError: If it is a file of a run folder's results, or in one of their folders; or if it exists
            and is anything else than a report or figure of this format that embshift wrote.
    """
    check_place(path)
    found = _describe_other(path, MARKS[kind])
    if found:
        raise UsageError(
            f"'{path}' is {found}, no {MARKS[kind].name} of embshift, and is not replaced; give another path"
        )
    return path


def check_place(path: Path) -> None:
    """Raise `UsageError` for a path that a run keeps its results under, or that cannot be resolved."""
    try:
        # A link of this name is replaced, not followed; links on the way are the user's.
        place = path.parent.resolve() / path.name
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{path} cannot be written: {error}; give another --out") from error
    for folder in place.parents:
        if place.relative_to(folder).parts[0].casefold() in _RESULTS and _is_run(folder):
            raise UsageError(f"{path} is among the results of the run {folder}; give another --out")


def _is_run(folder: Path) -> bool:
    return any(os.path.lexists(folder / name) for name in _SIGNS)


def is_replaceable(path: Path, *, kind: str) -> bool:
    """Return whether a path is that of an existing report or figure that embshift wrote, or an empty file.

    Args:
        path: The path.
        kind: A format of `MARKS`.
    """
    return path.exists() and not _describe_other(path, MARKS[kind])


def _describe_other(path: Path, mark: _Mark) -> str:
    """Return what the path leads to; nothing where it leads nowhere, or to a file that may be replaced."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):
            return describe_kind(mode)
        # A pipe that has taken the file's place meanwhile must not be waited for.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb") as file:
            return _describe_content(file, mark)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, ValueError) as error:
        return f"a file that cannot be read ({getattr(error, 'strerror', None) or error})"


def _describe_content(file: BinaryIO, mark: _Mark) -> str:
    start = file.read(_PROBE)
    if not start or (start.startswith(mark.start) and _holds(file, mark.inside)):
        return ""
    known = (name for first, name in _STARTS.items() if start.startswith(first))
    return next(known, "a file with other content")


def _holds(file: BinaryIO, wanted: bytes) -> bool:
    """Return whether a file holds some bytes; PDF has its marks at the end, the others at the beginning."""
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(wanted) >= 0
