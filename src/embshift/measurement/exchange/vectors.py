"""Files of embeddings computed elsewhere, read part by part: Parquet and CSV by key, NumPy by row."""

import csv
import hashlib
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
from jaxtyping import Bool, Float32

from embshift.core.errors import UsageError
from embshift.core.text_files import parse_json

__all__ = ["Part", "digest_file", "open_matrix", "read_parts"]

_EXPECTED = (
    "expected .parquet or .csv with the views' key columns and 'embedding' (or e0, e1, …), or .npy with one"
    " row for each view"
)
_NUMBERED = re.compile(r"e(0|[1-9][0-9]*)")
_ROWS = 4096
_BYTES = 16 * 2**20  # of a CSV file that are parsed at once
_TEXTS = ("image_id", "transform", "pixels_digest", "file", "embedding")
_KEYS = ("image_id", "transform", "severity", "strength", "draw", "pixels_digest", "file")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """Some rows of a file.

    Attributes:
        start: Position of the first, from 0.
        keys: Its key columns.
        vectors: Its embeddings; of a row without one, NaN.
        given: Which rows have an embedding.
    """

    start: int
    keys: pa.Table
    vectors: Float32[np.ndarray, "rows dim"]
    given: Bool[np.ndarray, " rows"]


def digest_file(path: Path, /) -> str:
    """Return the SHA-256 of a file.

    Raises:
        UsageError: If it is no file that can be read.
    """
    try:
        if not path.is_file():
            raise UsageError(f"'{path}' is not a file of embeddings; {_EXPECTED}")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read: {error.strerror}; {_EXPECTED}") from error


def open_matrix(path: Path, /, *, views: int) -> Any:
    """Open a ``.npy`` file, whose rows stay on the disk.

    Args:
        path: The file.
        views: Number of rows that it must have.

    Raises:
        UsageError: If it is something else.
    """
    try:
        with path.open("rb") as file:  # NumPy would open archives and pickles, too
            if file.read(6) != b"\x93NUMPY":
                raise ValueError("it does not begin as a .npy file")
        matrix: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise UsageError(f"'{path}' cannot be read as an array: {error}; {_EXPECTED}") from None
    shape = " x ".join(map(str, matrix.shape)) or "no axes"
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiu":
        raise UsageError(
            f"'{path}' holds {shape} of {matrix.dtype}; expected a row of numbers for each of {views:,} views"
        )
    if matrix.shape[0] != views or not matrix.shape[1]:
        raise UsageError(
            f"'{path}' holds {shape} numbers; expected one row for each of {views:,} views, in the order"
            " of the keys"
        )
    return matrix


def read_parts(path: Path, /) -> Iterator[Part]:
    """Yield the rows of a Parquet or CSV file, part by part.

    Raises:
        UsageError: If it cannot be read, or a row has another length than the first.
    """
    readers = {".parquet": _read_parquet, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise UsageError(f"'{path}' is of no known kind; {_EXPECTED}")
    start, dim = 0, 0
    try:
        for table in readers[path.suffix.lower()](path):
            part = _to_part(table, path, start=start, dim=dim)
            start, dim = start + len(table), part.vectors.shape[1]
            yield part
    except (OSError, ValueError, csv.Error, pa.ArrowException) as error:
        undecodable = isinstance(error, UnicodeDecodeError)
        reason = "it is not text in UTF-8" if undecodable else " ".join(str(error).split())
        raise UsageError(f"'{path}' cannot be read as embeddings: {reason}; {_EXPECTED}") from None


def _read_parquet(path: Path) -> Iterator[pa.Table]:
    with closing(pq.ParquetFile(path)) as file:
        wanted = _choose_columns(file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=_ROWS, columns=wanted):
            yield pa.Table.from_batches([batch])


def _read_csv(path: Path) -> Iterator[pa.Table]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
    wanted = _choose_columns(names)
    kinds = {name: pa.string() if name in _TEXTS else pa.float64() for name in wanted}
    reader = pc_csv.open_csv(
        path,
        read_options=pc_csv.ReadOptions(block_size=_BYTES),
        convert_options=pc_csv.ConvertOptions(column_types=kinds, include_columns=wanted),
    )
    with reader:
        for batch in reader:
            table = pa.Table.from_batches([batch])
            for start in range(0, len(table), _ROWS):
                yield table.slice(start, _ROWS)


def _choose_columns(names: list[str]) -> list[str]:
    """Return the columns that matter: keys, and embeddings in one column or one for each number."""
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ValueError(f"two columns are named {twice[0]}")
    numbered = sorted((name for name in names if _NUMBERED.fullmatch(name)), key=lambda name: int(name[1:]))
    if ("embedding" in names) == bool(numbered):
        both = (
            "both 'embedding' and e0, e1, …" if numbered else f"the columns {', '.join(names[:12]) or 'none'}"
        )
        raise ValueError(f"it has {both}")
    if numbered != [f"e{at}" for at in range(len(numbered))]:
        lacking = next(at for at, name in enumerate(numbered) if name != f"e{at}")
        raise ValueError(f"it has no column e{lacking}, but {numbered[lacking]}")
    return [name for name in names if name in _KEYS] + (numbered or ["embedding"])


def _to_part(table: pa.Table, path: Path, *, start: int, dim: int) -> Part:
    keys = table.select([name for name in table.column_names if name in _KEYS])
    if "embedding" in table.column_names:
        vectors, given = _from_lists(table["embedding"].combine_chunks(), path, start=start, dim=dim)
    else:
        columns = [table[name] for name in table.column_names if name not in _KEYS]
        vectors = np.stack([_to_float32(column.combine_chunks()) for column in columns], axis=1)
        given = ~np.logical_and.reduce([np.asarray(column.is_null()) for column in columns])
    return Part(start=start, keys=keys, vectors=vectors, given=given)


def _from_lists(
    column: Any, path: Path, *, start: int, dim: int
) -> tuple[Float32[np.ndarray, "rows dim"], Bool[np.ndarray, " rows"]]:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _parse_lists(column, start=start)
    kind = column.type
    if pa.types.is_null(kind):
        return np.empty((len(column), 0), np.float32), np.zeros(len(column), bool)
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)):
        raise ValueError(f"the column 'embedding' holds {kind}, not lists of numbers")
    given = ~np.asarray(column.is_null())
    lengths = np.asarray(column.value_lengths().fill_null(0))
    dim = dim or next((int(length) for length in lengths[given]), 0)
    wrong = np.flatnonzero(given & ((lengths != dim) | (dim == 0)))
    if len(wrong):
        at = int(wrong[0])
        expected = f"{dim}, as in the rows before" if dim else "at least 1"
        raise UsageError(
            f"row {start + at} of '{path}' (from 0) has an embedding of {lengths[at]} numbers; expected"
            f" {expected}"
        )
    if not dim:  # no row has had an embedding yet
        return np.empty((len(column), 0), np.float32), given
    vectors = np.full((len(column), dim), np.nan, np.float32)
    vectors[given] = _to_float32(column.drop_null().flatten()).reshape(-1, dim)
    return vectors, given


def _parse_lists(column: Any, *, start: int) -> Any:
    """Return lists of numbers that a CSV file holds as text, e.g. "[0.1, 0.2]"."""
    found = list[Any]()
    for at, text in enumerate(column.to_pylist()):
        try:
            found.append(parse_json(text) if text else None)  # a null is written as an empty field
        except ValueError:
            raise ValueError(
                f"row {start + at} (from 0) holds {str(text)[:40]!r}, not a list of numbers"
            ) from None
    return pa.array(found, pa.list_(pa.float64()))


def _to_float32(column: Any) -> Float32[np.ndarray, " numbers"]:
    """Return numbers as float32, and NaN for a null; what is too large becomes infinite."""
    kind = column.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise ValueError(f"an embedding holds {kind}, not numbers")
    with np.errstate(over="ignore"):
        return column.to_numpy(zero_copy_only=False).astype(np.float32)
