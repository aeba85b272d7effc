"""A seal in the footer of a Parquet file: SHA-256 over all of its bytes, the seal's own digits as zeros.

Whoever has the file can tell whether a bit of it has changed since it was written; nothing else is needed.
"""

import hashlib
import io
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["BROKEN", "SEALED", "UNSEALED", "check_seal", "write_sealed"]

SEALED, BROKEN, UNSEALED = "sealed", "broken", "unsealed"

_KEY, _ZEROS = "seal", b"0" * 64
_ENTRY = re.compile(rb"\x18\x04seal\x18\x40([0-9a-f]{64})")
"""A key and its value as Thrift's compact protocol writes two texts, each behind its field and its length."""


def write_sealed(path: Path, table: pa.Table, **options: Any) -> None:
    """A table as a sealed Parquet file.

    Args:
        path: Where to; the file is not whole before this returns.
        table: The table.
        **options: What `pyarrow.parquet.ParquetWriter` takes.
    """
    # In memory first: a writer whose file cannot be closed, for want of space, would hold it open and the
    # space with it.
    made = io.BytesIO()
    with pq.ParquetWriter(made, table.schema, **options) as writer:
        writer.write_table(table)
        # As metadata of the schema it would stand twice, for the footer holds Arrow's own copy of the schema.
        writer.add_key_value_metadata({_KEY: _ZEROS.decode()})
    data = bytearray(made.getbuffer())
    found = list(_ENTRY.finditer(data, len(data) - 8 - _footer_length(data)))
    at = found[-1].start(1)
    data[at : at + 64] = hashlib.sha256(data).hexdigest().encode()
    path.write_bytes(data)


def check_seal(path: Path) -> str:
    """Whether a file is as it was written: `SEALED`, `BROKEN`, or `UNSEALED` where it holds no seal.

    Raises:
        OSError: If it cannot be read.
    """
    data = path.read_bytes()
    if len(data) < 12 or data[:4] != b"PAR1" or data[-4:] != b"PAR1":
        return BROKEN
    found = list(_ENTRY.finditer(data, max(0, len(data) - 8 - _footer_length(data))))
    if not found:
        return UNSEALED
    at = found[-1].start(1)
    digest = hashlib.sha256(data[:at] + _ZEROS + data[at + 64 :]).hexdigest()
    return SEALED if digest == data[at : at + 64].decode() else BROKEN


def _footer_length(data: bytes | bytearray) -> int:
    return int.from_bytes(data[-8:-4], "little")
