"""Perceptual hashes of a run's images; chunks of an earlier version have none."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from jaxtyping import Int64, UInt8

from embshift.runs.arrow import read_columns
from embshift.runs.tables import RunTables

__all__ = ["PerceptualHashes", "read_perceptual_hashes"]

_HASH, _BYTES = "perceptual_hash", 32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PerceptualHashes:
    """Hashes of what images show.

    Attributes:
        rows: Rows of the listing whose image has a hash, ascending.
        bits: The hashes, 32 bytes each.
        plain: Rows of the images without detail, which have none.
        unknown: Rows of the images measured with an earlier version, which made none.
    """

    rows: Int64[np.ndarray, " hashed"]
    bits: UInt8[np.ndarray, "hashed width"]
    plain: Int64[np.ndarray, " plain"]
    unknown: Int64[np.ndarray, " unknown"]


def read_perceptual_hashes(run: RunTables) -> PerceptualHashes:
    """Read the perceptual hashes of a run's usable images, chunk by chunk.

    Args:
        run: The run.

    Raises:
        RunError: If a chunk is missing or damaged.
    """
    rows, hashes, plain, unknown = list[int](), list[bytes](), list[int](), list[int]()
    for file in run.files("images"):
        fingerprint = run.info.get("fingerprint")
        chunk = read_columns(file, ["row", "status", _HASH], fingerprint=fingerprint, later=(_HASH,))
        usable = chunk.filter(pc.field("status") == "ok")
        if _HASH not in usable.column_names:
            unknown += usable["row"].to_pylist()
            continue
        hashed = usable.filter(pc.field(_HASH).is_valid())
        plain += usable.filter(pc.field(_HASH).is_null())["row"].to_pylist()
        rows += hashed["row"].to_pylist()
        hashes += hashed[_HASH].to_pylist()
    return PerceptualHashes(
        rows=np.array(rows, np.int64),
        bits=np.frombuffer(b"".join(hashes), np.uint8).reshape(len(rows), _BYTES),
        plain=np.array(plain, np.int64),
        unknown=np.array(unknown, np.int64),
    )
