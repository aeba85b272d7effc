"""Lists of images with what is said of each: JSON Lines, or tables with captions, labels or names.

Rows keep their order, and are read one after another, so that a list may be of any length.
"""

import codecs
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from embshift.core.errors import PlanError
from embshift.core.types import ImageRecord
from embshift.images.left_out import LONG_TEXT, REPEATED, SAME_ID, LeftOut
from embshift.images.lists import COLUMNS, TABLES, choose_columns, is_list, locate
from embshift.images.named_rows import JSON_LINES, find_column, read_rows
from embshift.images.said import CAPTION_COLUMNS, ID_COLUMNS, LABEL_COLUMNS, NOTHING, Said, read_said

__all__ = ["LISTS", "is_captioned", "list_captioned", "list_rows"]

LISTS = JSON_LINES | TABLES.keys()
"""Suffixes of such lists."""

_LONGEST = 2**20  # characters of a line
_SURROGATES = re.compile("[\ud800-\udfff]")
_SAID = frozenset({*ID_COLUMNS, *CAPTION_COLUMNS, *LABEL_COLUMNS})


def is_captioned(file: Path, /) -> bool:
    """Return whether a list says something of its images: whether it is JSON Lines or has such a column."""
    suffix = file.suffix.lower()
    if suffix in JSON_LINES:
        return True
    if suffix not in TABLES or not is_list(file):
        return False
    with _open_text(file) as text:
        names = {name.strip(' "\r\n').lower() for name in text.readline(_LONGEST).split(TABLES[suffix])}
    return len(choose_columns(names)) == 1 and bool(names & _SAID)


def list_captioned(source: str, file: Path, *, left: LeftOut, base: str = "") -> Iterator[ImageRecord]:
    """Yield the images of a list, in its order.

    Args:
        source: The SOURCE argument.
        file: The list.
        left: Counts images that are named again, texts that are too long, and names that two images have.
        base: The address of the list's folder, where the list is from another machine.

    Raises:
        PlanError: If a line cannot be read, or names no image; or for a reason of `locate`.
        OSError: If the file cannot be read.
    """
    with _open_text(file) as text:
        rows = read_rows(file, _read_lines(file, text))
        yield from list_rows(source, file, _name_images(file, rows), left=left, base=base)


def list_rows(
    source: str,
    file: Path,
    rows: Iterable[tuple[int, str, Mapping[str, Any]]],
    *,
    left: LeftOut,
    base: str = "",
) -> Iterator[ImageRecord]:
    """Yield the images of rows: number, path as written, and what is said by column.

    Of rows that name one image the first counts.

    Args:
        source: The SOURCE argument.
        file: The list, from whose folder paths start.
        rows: The rows.
        left: As in `list_captioned`.
        base: As in `list_captioned`.
    """
    seen, ids = set[str](), set[int]()
    for number, written, values in rows:
        path = locate(written, file.parent, base=base)
        place = f"{file.name}, line {number:,}"
        if path in seen:
            left.add(REPEATED, place)
            continue
        seen.add(path)
        said = _read_said(values, place, left)
        if said.source_id is not None:
            # Only a note depends on it, and a number takes less memory than a text.
            if hash(said.source_id) in ids:
                left.add(SAME_ID, place)
            ids.add(hash(said.source_id))
        yield ImageRecord(row=0, source=source, member=written, path=path, **said._asdict())


def _read_said(values: Mapping[str, Any], place: str, left: LeftOut) -> Said:
    try:
        return read_said(values)
    except ValueError:
        left.add(LONG_TEXT, place)
        return NOTHING


def _name_images(
    file: Path, rows: Iterable[tuple[int, Mapping[str, Any]]]
) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    for number, row in rows:
        named = row[find_column(row, file=file, known=choose_columns(row) or COLUMNS, what="images")]
        if not isinstance(named, str) or not named.strip():
            raise PlanError(f"line {number} of '{file}' names the image {named!r}; expected a path")
        texts = (row[name] for name in row.keys() & _SAID)
        if file.suffix.lower() in TABLES and any(_SURROGATES.search(str(text)) for text in texts):
            raise PlanError(f"line {number} of '{file}' is not UTF-8; save the file as UTF-8")
        yield number, named.strip(), row


@contextmanager
def _open_text(file: Path) -> Generator[TextIO]:
    """Open a text as it was written: UTF-8, or UTF-16 with its mark; a path need not be text."""
    with file.open("rb") as start:
        wide = start.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    encoding, errors = ("utf-16", "strict") if wide else ("utf-8-sig", "surrogateescape")
    try:
        with file.open(encoding=encoding, errors=errors, newline="") as text:
            yield text
    except UnicodeDecodeError as error:
        raise PlanError(f"list '{file}' begins as UTF-16 and is not: {error.reason}; save as UTF-8") from None


def _read_lines(file: Path, text: TextIO) -> Iterator[str]:
    number, strict = 0, file.suffix.lower() in JSON_LINES
    while line := text.readline(_LONGEST + 1):
        number += 1
        if len(line) > _LONGEST:
            raise PlanError(f"line {number} of '{file}' has more than {_LONGEST:,} characters")
        if strict and _SURROGATES.search(line):
            raise PlanError(f"line {number} of '{file}' is not UTF-8; save the file as UTF-8")
        yield line
