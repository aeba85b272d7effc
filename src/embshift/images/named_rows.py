"""Tables and JSON Lines that say something about images, and which images of a listing their rows mean."""

import csv
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from embshift.core.errors import PlanError
from embshift.core.paths import find_path, input_path
from embshift.core.remote import is_remote_address
from embshift.core.text_files import parse_json, read_typed_text
from embshift.core.types import ImageRecord
from embshift.images.lists import TABLES

__all__ = ["JSON_LINES", "find_column", "find_images", "is_table", "read_rows", "read_typed_file"]

JSON_LINES = frozenset({".jsonl", ".ndjson"})
"""Suffixes of files with one JSON object a line."""


def is_table(file: Path) -> bool:
    """Return whether a file's suffix says that it holds named columns."""
    return file.suffix.lower() in TABLES or file.suffix.lower() in JSON_LINES


def read_typed_file(path: str | os.PathLike[str], *, what: str) -> tuple[Path, str]:
    """Return a file's path as the system finds it, and its text.

    Raises:
        PlanError: The file cannot be read.
    """
    file = Path(input_path(path))
    try:
        return file, read_typed_text(file)
    except (OSError, ValueError) as error:
        told = getattr(error, "strerror", None) or error
        raise PlanError(f"{what} '{file}' cannot be read: {told}") from error


def read_rows(file: Path, lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the rows of a table or of JSON Lines: number of the line, and values by column.

    Names of columns are in lower case, without spaces around them. Rows are read one after another.

    Args:
        file: The file, whose suffix tells its form.
        lines: Its lines, with their ends.

    Raises:
        PlanError: A line cannot be read, a row has more or fewer values than there are columns, or two
            columns have one name.
    """
    if file.suffix.lower() in JSON_LINES:
        yield from _read_json_lines(file, lines)
    else:
        yield from _read_table(file, lines, delimiter=TABLES[file.suffix.lower()])


def _read_json_lines(file: Path, lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row: Any = parse_json(line)
        except (json.JSONDecodeError, ValueError) as error:
            raise PlanError(f"line {number} of '{file}' is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise PlanError(f"line {number} of '{file}' is {line.strip()[:40]!r}; expected a JSON object")
        yield number, {str(name).strip().lower(): one for name, one in cast("dict[str, Any]", row).items()}


def _read_table(
    file: Path, lines: Iterable[str], *, delimiter: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(rows, [])]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise PlanError(
                f"table '{file}' has two columns '{twice[0]}'; give each column a name of its own"
            )
        for row in rows:
            if any(row) and len(row) != len(names):
                raise PlanError(
                    f"line {rows.line_num} of '{file}' has {len(row)} values; expected {len(names)}: "
                    f"{', '.join(names)}"
                )
            if any(row):
                yield rows.line_num, dict(zip(names, row, strict=True))
    except csv.Error as error:
        raise PlanError(f"line {rows.line_num} of '{file}' cannot be read: {error}") from error


def find_column(
    row: Mapping[str, Any], *, file: Path, known: Collection[str], what: str, stated: str = ""
) -> str:
    """Return the one column of a row that holds what is looked for.

    Args:
        row: Values by column.
        file: The file, for the message.
        known: Names that such a column has.
        what: What it holds, for the message.
        stated: The column that the user names; empty to look for a known one.

    Raises:
        PlanError: There is no such column, or more than one.
    """
    found = [name for name in row if name == stated.strip().lower() or (not stated and name in known)]
    if len(found) != 1:
        wanted = f"'{stated}'" if stated else f"one named {', '.join(sorted(known))}"
        raise PlanError(f"'{file}' has the columns {', '.join(row)}; for {what} expected {wanted}")
    return found[0]


def find_images(written: Sequence[str], records: Sequence[ImageRecord], *, folder: Path) -> list[int | None]:
    """Return the position among the records of each image as a file names it; None where it is none of them.

    A name is read as a path, absolute or relative to the file's folder; then as the path of an image below
    its source; then as a file's own name, where only one image has it.

    Args:
        written: The names.
        records: The images.
        folder: The folder of the file that names them.
    """
    paths = {one.path: at for at, one in enumerate(records) if one.path is not None and not one.is_part}
    members = _only_ones([record.member for record in records])
    names = _only_ones([os.path.basename(record.name) for record in records])

    def find(one: str) -> int | None:
        path = _find_path(one, folder=folder)
        at = paths.get(path) if path is not None else None
        near = os.path.normpath(one.replace("\\", "/"))
        if at is None:
            at = members.get(near)
        return names.get(near) if at is None else at

    return [find(one.strip()) for one in written]


def _only_ones(names: Sequence[str]) -> dict[str, int]:
    """Return the positions of the names that are there once."""
    counts = Counter(names)
    return {name: at for at, name in enumerate(names) if name and counts[name] == 1}


def _find_path(written: str, *, folder: Path) -> str | None:
    if is_remote_address(written):
        return written
    try:
        found = find_path(written, below=folder)
    except OSError:  # a name that no file can have
        return None
    return None if found is None else os.path.abspath(found)
