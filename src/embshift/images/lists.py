"""Lists of paths: text files with one path a line, and tables with a column of paths."""

import codecs
import csv
import os
from collections.abc import Iterable
from pathlib import Path

from embshift.core.errors import PlanError
from embshift.core.paths import find_path
from embshift.core.remote import check_listed_address, is_remote_address, join_address
from embshift.images.folders import sort_key

__all__ = ["COLUMNS", "TABLES", "URLS", "choose_columns", "is_list", "locate", "read_list"]

_PROBE = 4096  # bytes read to tell a list of paths from an image whose name has no known suffix
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
TABLES = {".csv": ",", ".tsv": "\t"}
"""Suffixes of tables, and what separates their columns."""
_DOCUMENTS = frozenset({".htm", ".html", ".json", ".xml", ".yaml", ".yml"})
_TEXTS = frozenset({".txt", ".lst", *TABLES})
COLUMNS = frozenset(
    {"file", "file_name", "file_path", "filename", "filepath", "image", "image_path", "img", "path"}
)
"""Names of columns that hold paths, in lower case."""
URLS = frozenset({"url", "image_url"})
"""Names of columns that hold addresses; they count where no column of paths is there."""


def choose_columns(names: Iterable[str], /) -> frozenset[str]:
    """Return the names, of those of a list's columns, that hold paths: addresses where there are no paths."""
    found = frozenset(names)
    return found & COLUMNS or found & URLS


def is_list(path: Path) -> bool:
    """Return whether a file holds text and is therefore taken for a list of paths.

    A list need not be UTF-8 if its suffix says that it is text, since file names need not be.
    """
    with path.open("rb") as file:
        start = file.read(_PROBE)
    if start.startswith(_UTF16):
        return True
    return b"\0" not in start and (path.suffix.lower() in _TEXTS or _is_text(start))


def _is_text(start: bytes) -> bool:
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that the end of the probe cuts in two is still text.
        return error.start >= len(start) - 3 and len(start) == _PROBE
    return True


def read_list(file: Path, *, base: str = "") -> list[tuple[str, str]]:
    """Return the paths in a list as they are written, sorted and each once, and where they lead.

    A relative path starts from the list's folder. A path that leads nowhere is returned all the same.

    Args:
        file: The list.
        base: The address of the list's folder, where the list is from another machine.

    Raises:
        PlanError: If the list is not text, or a table of which no column is known to hold paths.
        UsageError: If it names what lists may not: see `locate`.
    """
    if file.suffix.lower() in _DOCUMENTS:
        raise PlanError(f"source '{file}' is no list of paths; expected a text file with one path a line")
    lines = _read_lines(file)
    delimiter = TABLES.get(file.suffix.lower())
    written = {line.strip() for line in (_read_column(lines, delimiter, file) if delimiter else lines)}
    return [(one, locate(one, file.parent, base=base)) for one in sorted(written - {""}, key=sort_key)]


def locate(written: str, folder: Path, *, base: str = "") -> str:
    """Return where a path leads that a list holds: an absolute path, or an address.

    Args:
        written: The path; to itself where nothing is there.
        folder: The list's folder.
        base: The folder's address, where the list is from another machine; it leads to no file of this one.

    Raises:
        PlanError: If a list from another machine names a file of this one.
        UsageError: If it is an address that may not be written into a listing.
    """
    if is_remote_address(written):
        return check_listed_address(written)
    if base:
        return join_address(base, written)
    try:
        found = find_path(written, below=folder)
    except OSError:  # a name that no file can have: `decode` reports it
        found = None
    return os.path.abspath(os.path.join(folder, written) if found is None else found)


def _read_lines(file: Path) -> list[str]:
    data = file.read_bytes()
    if not data.startswith(_UTF16):
        return [os.fsdecode(line) for line in data.removeprefix(codecs.BOM_UTF8).splitlines()]
    try:
        return data.decode("utf-16").splitlines()
    except UnicodeDecodeError as error:
        raise PlanError(f"list '{file}' begins as UTF-16 and is not: {error.reason}; save as UTF-8") from None


def _read_column(lines: Iterable[str], delimiter: str, file: Path) -> list[str]:
    """Return the column of paths: the only one, or the one whose name in the first line says so."""
    try:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise PlanError(f"table '{file}' cannot be read: {error}") from error
    names = [name.strip().lower() for name in rows[0]] if rows else []
    wanted = choose_columns(names)
    known = [at for at, name in enumerate(names) if name in wanted]
    if len(known) == 1:
        return [row[known[0]] for row in rows[1:] if len(row) > known[0]]
    if all(len(row) == 1 for row in rows):
        return [row[0] for row in rows]
    raise PlanError(
        f"table '{file}' has the columns {', '.join(names)}; expected one named path, file, image or url,"
        " or a single column"
    )
