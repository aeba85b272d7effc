"""Columns of Arrow tables as arrays of NumPy, and some columns of a Parquet file.

Arrow's own ways load pandas, where that is installed, and its dataset layer: together half a second, for
which somebody waits who only asks what a finished run found.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Shaped

__all__ = ["as_array", "read_columns"]


def as_array(column: pa.ChunkedArray | pa.Array) -> Shaped[np.ndarray, " rows"]:
    """A column of numbers as an array of the same type, which shares its memory and is not to be written to.

    Args:
        column: Whole or real numbers, of which none is null.
    """
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.from_dlpack(whole)


def read_columns(path: Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of one Parquet file.

    Args:
        path: The file.
        columns: Their names.

    Raises:
        OSError: The file cannot be read.
        pyarrow.ArrowException: It is no such file.
    """
    with pq.ParquetFile(path) as file:
        return file.read(columns=list(columns))
