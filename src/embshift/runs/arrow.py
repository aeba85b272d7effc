"""Arrow columns as NumPy arrays, and selected columns of a Parquet file.

Arrow's own functions load pandas, if it is installed, and Arrow's dataset layer. Together that takes half a
second, which is too long for a command that only shows the results of a finished run.
"""

from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Shaped

from embshift.core.errors import RunError
from embshift.runs.explained_schema import EXPLAINED, FOLDER, TEXTS
from embshift.runs.seal import BROKEN, check_seal

__all__ = ["as_array", "check_table", "describe_damage", "read_columns"]


def as_array(column: pa.ChunkedArray | pa.Array) -> Shaped[np.ndarray, " rows"]:
    """Return a column of numbers as an array of the same type; it shares the column's memory: do not write.

    Args:
        column: Integers or floating-point numbers, without nulls.
    """
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.from_dlpack(whole)


def read_columns(
    path: Path, columns: Sequence[str], *, fingerprint: str | None = None, later: Collection[str] = ()
) -> pa.Table:
    """Read some columns of one Parquet file of a run folder, which is checked first.

    Args:
        path: The file.
        columns: Their names.
        fingerprint: As for `check_table`.
        later: Columns that are left out of the result where the file lacks them.

    Raises:
        RunError: If the file is missing or damaged, lacks a column, or belongs to another run.
    """
    check_table(path, fingerprint=fingerprint)
    try:
        with pq.ParquetFile(path) as file:
            lacking = set(later) - set(file.schema_arrow.names)
            wanted = [name for name in columns if name not in lacking]
            return file.read(columns=wanted).select(wanted)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise RunError(describe_damage(path, error)) from error


def check_table(path: Path, *, fingerprint: str | None = None) -> None:
    """Check the seal of a Parquet file of a run folder, once as long as the file does not change.

    Without this a changed byte may be read as another number.

    Args:
        path: The file.
        fingerprint: The run's, which is compared if the file states one; None to compare nothing.

    Raises:
        RunError: If the file is missing or damaged, or belongs to another run.
    """
    try:
        found = path.stat()
        whole, own = _check_once(path, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise RunError(describe_damage(path, error)) from error
    if not whole:
        raise RunError(describe_damage(path, "its bytes do not match its seal"))
    if fingerprint and own and fingerprint != own:
        raise RunError(describe_damage(path, "it was made with another plan, encoder or version"))


@lru_cache(maxsize=2**16)
def _check_once(path: Path, state: Any) -> tuple[bool, str]:
    """Return whether the seal is not broken, and the fingerprint that the footer states."""
    if check_seal(path) == BROKEN:
        return False, ""
    stated = pq.read_metadata(path).metadata or {}
    return True, stated.get(b"fingerprint", b"").decode("utf-8", "replace")


def describe_damage(path: Path, reason: object, *, run: Path | None = None) -> str:
    """Return the message for a file of a run folder that cannot be used: the reason, and what to do.

    Args:
        path: The file.
        reason: An error, or words.
        run: The run folder; that of a table if None.
    """
    missing = isinstance(reason, FileNotFoundError)
    what = "is missing" if missing else f"is damaged ({' '.join(str(reason).split())})"
    explained = path.parent if path.name == TEXTS else path.parent.parent
    own = explained.name == FOLDER and (path.name == TEXTS or path.parent.name in EXPLAINED)
    folder = run or (explained.parent if own else path.parent.parent)
    return (
        f"{path} {what}; run 'embshift verify {folder} --repair', then the command that"
        f" {'explained' if own else 'made'} the run, which makes it again"
    )
