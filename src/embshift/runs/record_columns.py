"""Columns of a record: how the listing of a run, and the table of written views, store where an image is."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from embshift.core.types import ImageRecord

__all__ = ["LATER", "RECORD", "make_record", "record_columns"]


class _Column(NamedTuple):
    """How one field of a record is stored.

    Attributes:
        name: The field.
        type: Its type in the file.
        read: Returns what the file holds as the field, for a value that is not null.
        write: Returns the field as the file holds it.
        default: The field where the file lacks the column or holds null.
    """

    name: str
    type: pa.DataType
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    default: Any


def _number(name: str, default: int = 0) -> _Column:
    return _Column(name, pa.int64(), int, int, default)


def _path(name: str, default: str | None = "") -> _Column:
    """A text that need not be valid, such as a name on Linux: stored as bytes."""
    return _Column(name, pa.binary(), os.fsdecode, _encode, default)


def _encode(text: str | None) -> bytes | None:
    return None if text is None else os.fsencode(text)


def _text(name: str, default: str | None) -> _Column:
    return _Column(name, pa.string(), str, _null_if_empty, default)


def _null_if_empty(text: str | None) -> str | None:
    return text or None


_FIRST = (_number("row"), _path("source"), _path("member"), _number("index"), _path("path", None))
_LATER = (
    _number("offset"),
    _number("length", -1),
    _path("column"),
    _text("etag", ""),
    _text("source_id", None),
    _text("caption", None),
    _text("label", None),
)

RECORD = pa.schema([(column.name, column.type) for column in (*_FIRST, *_LATER)])
"""The columns, in order."""

LATER = frozenset(column.name for column in _LATER)
"""Names of the columns that files of an earlier version lack."""


def record_columns(records: Sequence[ImageRecord], /) -> dict[str, list[Any]]:
    """Return the columns of records."""
    return {
        column.name: [column.write(getattr(record, column.name)) for record in records]
        for column in (*_FIRST, *_LATER)
    }


def make_record(line: Mapping[str, Any], /) -> ImageRecord:
    """Return the record that a row of such a file holds."""
    found = {
        column.name: column.default if line.get(column.name) is None else column.read(line[column.name])
        for column in (*_FIRST, *_LATER)
    }
    return ImageRecord(**found)
