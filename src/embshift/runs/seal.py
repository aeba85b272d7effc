"""Seals of Parquet files: SHA-256 over all bytes, stored in the footer, with the seal's own digits as zeros.

The file alone shows whether any bit of it has changed since it was written.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = [
    "BROKEN",
    "SEALED",
    "UNSEALED",
    "check_seal",
    "read_seal",
    "write_sealed",
    "write_sealed_parts",
]

SEALED, BROKEN, UNSEALED = "sealed", "broken", "unsealed"

_KEY, _ZEROS = "seal", b"0" * 64
_ENTRY = re.compile(rb"\x18\x04seal\x18\x40([0-9a-f]{64})")
"""A key and its value as Thrift's compact protocol writes two strings, each after its field and length."""

BYTES_AT_ONCE = 2**20
"""Bytes of a file that are read and hashed at once."""


def write_sealed(path: Path, table: pa.Table, **options: Any) -> None:
    """Write a table as a sealed Parquet file.

    Args:
        path: The file; it is incomplete until this returns.
        table: The table.
        **options: Options of `pyarrow.parquet.ParquetWriter`.

    Raises:
        OSError: If the file cannot be written.
    """
    write_sealed_parts(path, [table], table.schema, **options)


def write_sealed_parts(path: Path, parts: Iterable[pa.Table], schema: pa.Schema, **options: Any) -> None:
    """Write a sealed Parquet file from parts, each a row group, so that the table need not fit into memory.

    Args:
        path: The file.
        parts: The table, part by part.
        schema: Its schema.
        **options: Options of `pyarrow.parquet.ParquetWriter`.

    Raises:
        OSError: If the file cannot be written.
    """
    # Opened here: a writer that cannot close its own file, for lack of space, would keep the space occupied.
    with path.open("w+b") as file:
        with pq.ParquetWriter(file, schema, **options) as writer:
            for part in parts:
                writer.write_table(part)
            # In the schema's metadata it would appear twice, since the footer holds a copy of the schema.
            writer.add_key_value_metadata({_KEY: _ZEROS.decode()})
        at, digest = _found(file)
        assert at is not None, "the seal's place was just written"
        file.seek(at)
        file.write(digest.encode())


def check_seal(path: Path) -> str:
    """Return whether a file is as it was written: `SEALED`, `BROKEN`, or `UNSEALED` if it holds no seal.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        ends = [_read(file, 0, 4), _read(file, max(0, size - 4), 4)]
        if size < 12 or ends != [b"PAR1", b"PAR1"]:
            return BROKEN
        at, digest = _found(file)
        if at is None:
            return UNSEALED
        return SEALED if _read(file, at, 64) == digest.encode() else BROKEN


def read_seal(path: Path) -> str | None:
    """Return the seal that a file states, which may be wrong; None if it holds none.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        at = _place(file)
        return None if at is None else _read(file, at, 64).decode("ascii")


def _place(file: BinaryIO) -> int | None:
    """Return the place of the seal's first digit, which is in the footer; None where there is no seal."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - 8 - int.from_bytes(_read(file, max(0, size - 8), 4), "little"))
    found = list(_ENTRY.finditer(_read(file, start, size - start)))
    return start + found[-1].start(1) if found else None


def _found(file: BinaryIO) -> tuple[int | None, str]:
    """Return the place of the seal and the digest expected there; large files are read in pieces."""
    at = _place(file)
    if at is None:
        return None, ""
    size, digest = file.seek(0, os.SEEK_END), hashlib.sha256()
    for first, last in ((0, at), (at + 64, size)):
        file.seek(first)
        while piece := file.read(min(BYTES_AT_ONCE, last - file.tell())):
            digest.update(piece)
        digest.update(_ZEROS if last == at else b"")
    return at, digest.hexdigest()


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)
