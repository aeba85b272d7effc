"""Text vectors that a user hands over, for encoders without a text side: a Parquet file."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64

from embshift.core.errors import PlanError
from embshift.core.paths import input_path

__all__ = ["TextVectors", "read_text_vectors"]

_WANTED = "expected the columns 'text' (string) and 'vector' (list of numbers), one row a text"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextVectors:
    """Texts with their vectors.

    Attributes:
        texts: The texts, each once.
        vectors: Their vectors, as in the file: of any length above 0.
    """

    texts: tuple[str, ...]
    vectors: Float64[np.ndarray, "texts dim"]


def read_text_vectors(path: str | os.PathLike[str], /, *, dim: int) -> TextVectors:
    """Read text vectors from a Parquet file with the columns ``text`` and ``vector``.

    Args:
        path: The file.
        dim: Dimension of the image embeddings that the vectors are compared with.

    Raises:
        PlanError: The file cannot be read or lacks a column, a text is empty or there twice, or a vector has
            another dimension, is 0, or is not finite.
    """
    file = Path(input_path(path))
    table = _read_table(file)
    texts: list[Any] = table.column("text").to_pylist()
    for at, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise PlanError(f"row {at} of '{file}' has the text {text!r}; expected one that is not empty")
    twice = [text for text, count in Counter(texts).items() if count > 1]
    if twice:
        raise PlanError(f"'{file}' has the text {twice[0]!r} twice; expected each text once")
    return TextVectors(texts=tuple(texts), vectors=_stack(table.column("vector"), file=file, dim=dim))


def _read_table(file: Path) -> pa.Table:
    try:
        if not file.is_file():  # a pipe may never end
            raise PlanError(f"text vectors '{file}': there is no such file; {_WANTED}")
        table = pq.ParquetFile(file).read()
    except (OSError, ValueError, pa.ArrowException) as error:
        raise PlanError(f"text vectors '{file}' cannot be read as Parquet: {error}; {_WANTED}") from error
    if not {"text", "vector"} <= set(table.column_names) or not len(table):
        raise PlanError(
            f"'{file}' has {len(table):,} rows and the columns {', '.join(table.column_names) or 'none'}; "
            f"{_WANTED}"
        )
    return table


def _stack(column: Any, *, file: Path, dim: int) -> Float64[np.ndarray, "texts dim"]:
    kind = column.type
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    numeric = listed and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type))
    if not numeric:
        raise PlanError(f"column 'vector' of '{file}' holds {kind}; {_WANTED}")
    rows = cast("list[list[float | None] | None]", column.to_pylist())
    for at, row in enumerate(rows):
        if row is None or len(row) != dim:
            got = "no vector" if row is None else f"a vector of {len(row)} numbers"
            raise PlanError(f"row {at} of '{file}' has {got}; the encoder's embeddings have {dim}")
    found = np.array([[np.nan if one is None else one for one in row or []] for row in rows], np.float64)
    wrong = np.flatnonzero(~np.isfinite(found).all(axis=1) | ~(np.linalg.norm(found, axis=1) > 0))
    if len(wrong):
        raise PlanError(f"row {wrong[0]} of '{file}' has a vector that is 0 or not finite; leave it out")
    return found
