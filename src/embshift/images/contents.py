"""Contents: the bytes of a listed image, wherever they are; the only place that reads them.

A record says where they are: a file, a range of a file (a member of a tar archive), a cell of a table, or an
address. Each kind has one reader here.
"""

import os
import stat
import zlib
from collections.abc import Callable
from typing import BinaryIO, TypeAlias

from embshift.core.errors import ImageError
from embshift.core.paths import is_url
from embshift.core.remote import read_address
from embshift.core.types import ImageRecord
from embshift.images.facts import CHANGED, Facts, check_size

__all__ = [
    "BLOCK",
    "Reader",
    "describe_header",
    "has_tag",
    "is_tagged",
    "read_content",
    "tag_header",
]

Reader: TypeAlias = Callable[[ImageRecord, int, Facts], bytes]
"""Returns the bytes of a record; the second argument is how many bytes are read at most."""

_HEADER = "header "  # how the etag of a member begins where the server has no name for the archive
BLOCK = 512
"""Bytes of a tar archive's block, which a member's header fills."""


def read_content(record: ImageRecord, /, *, most: int, facts: Facts | None = None) -> bytes:
    """Read the bytes of an image that is not in memory.

    Args:
        record: One row of the listing; without an etag, whatever is at its place now.
        most: The most bytes that are read.
        facts: Receives the image's size as ``bytes``, also where it is too large.

    Raises:
        ImageError: With the status "missing", "not_a_file", "unreadable", "empty", "too_large" or "changed".
    """
    known: Facts = {} if facts is None else facts
    try:
        data = _choose_reader(record)(record, most, known)
    except FileNotFoundError:
        raise ImageError("the file does not exist (any more)", status="missing") from None
    except (OSError, ValueError) as error:  # ValueError: a name that is not valid for a file
        told = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        raise ImageError(told, status="unreadable") from error
    if not data:
        what = "image" if record.is_part else "file"
        raise ImageError(f"the {what} is empty (zero bytes)", status="empty")
    return data


def _choose_reader(record: ImageRecord) -> Reader:
    if is_url(str(record.path)):
        return _read_address
    if record.column:
        return _read_cell
    return _read_member if record.offset else _read_file


def _read_address(record: ImageRecord, most: int, facts: Facts) -> bytes:
    """Read the object at an address, or a range of it; its name when it was listed tells changes."""
    if record.column:
        return _read_stored_cell(record, most, facts)
    path, whole = str(record.path), not record.is_part
    if record.length >= 0:
        check_size(record.length, most, facts, what="file" if whole else "member")
    if is_tagged(record):
        return _read_tagged(record)
    length = None if whole else record.length
    data = read_address(path, offset=record.offset, length=length, etag=record.etag, most=most)
    if record.length not in (-1, len(data)):
        raise ImageError(
            f"it changed since it was listed: it had {record.length:,} bytes, and has {len(data):,} now",
            status=CHANGED,
        )
    facts |= {"bytes": len(data)}
    return data


def _read_stored_cell(record: ImageRecord, most: int, facts: Facts) -> bytes:
    try:
        return _read_cell(record, most, facts)
    except OSError as error:
        if isinstance(error.__cause__, ImageError):  # raised by the file that reads ranges
            raise error.__cause__ from None
        raise


def _read_tagged(record: ImageRecord) -> bytes:
    """Read a member with its header, which alone tells whether the archive is the listed one."""
    length = BLOCK + record.length
    data = read_address(str(record.path), offset=record.offset - BLOCK, length=length, most=length)
    if not has_tag(data[:BLOCK], record):
        raise ImageError("the archive was written again since it was listed", status=CHANGED)
    return data[BLOCK:]


def _read_cell(record: ImageRecord, most: int, facts: Facts) -> bytes:
    from embshift.images.cells import read_cell  # imports pyarrow, which a worker may not need

    return read_cell(record, most, facts)


def _read_file(record: ImageRecord, most: int, facts: Facts) -> bytes:
    path = str(record.path)
    check_size(_check_kind(path).st_size, most, facts)
    with open(path, "rb") as file:
        return file.read()


def _check_kind(path: str) -> os.stat_result:
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        os.scandir(path).close()  # the listing names a folder only if it could not read it
    if not stat.S_ISREG(found.st_mode):
        raise ImageError("not a regular file; expected an image file", status="not_a_file")
    return found


def _read_member(record: ImageRecord, most: int, facts: Facts) -> bytes:
    """Read a member of a tar archive, if the header before it is still the listed one."""
    path = str(record.path)
    check_size(record.length, most, facts, what="member")
    _check_kind(path)
    with open(path, "rb") as file:
        data = _read_after_header(file, record)
    if len(data) != record.length:
        raise ImageError(
            f"the archive ends after {len(data):,} of the member's {record.length:,} bytes; it was cut off"
            " since it was listed",
            status=CHANGED,
        )
    return data


def _read_after_header(file: BinaryIO, record: ImageRecord) -> bytes:
    file.seek(record.offset - BLOCK)
    header = file.read(BLOCK)
    if record.etag not in ("", describe_header(header)):
        raise ImageError(
            f"byte {record.offset:,} of the archive no longer begins the listed member: the archive was"
            " written again since it was listed",
            status=CHANGED,
        )
    return file.read(record.length)


def describe_header(header: bytes, /) -> str:
    """Return what tells a member's header in an archive: a checksum of its name, size, time and owner."""
    return f"{zlib.crc32(header):08x}"


def tag_header(etag: str, /) -> str:
    """Return `describe_header` in the form that it has for an archive to which its server gives no name."""
    return f"{_HEADER}{etag}"


def is_tagged(record: ImageRecord, /) -> bool:
    """Return whether a member's header alone tells changes: its server gives the archive no name."""
    return record.etag.startswith(_HEADER)


def has_tag(header: bytes, record: ImageRecord, /) -> bool:
    """Return whether a header is the one that a tagged member was listed with."""
    return tag_header(describe_header(header)) == record.etag
