"""Arrow columns as NumPy arrays, and selected columns of a Parquet file.

Arrow's own functions load pandas, if it is installed, and Arrow's dataset layer. Together that takes half a
second, which is too long for a command that only shows the results of a finished run.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Shaped

__all__ = ["as_array", "read_columns"]


def as_array(column: pa.ChunkedArray | pa.Array) -> Shaped[np.ndarray, " rows"]:
    """Return a column of numbers as an array of the same type; it shares the column's memory: do not write.

    Args:
        column: Integers or floating-point numbers, without nulls.
    """
    whole = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return np.from_dlpack(whole)


def read_columns(path: Path, columns: Sequence[str]) -> pa.Table:
    """Read some columns of one Parquet file.

    Args:
        path: The file.
        columns: Their names.

    Raises:
        OSError: The file cannot be read.
        pyarrow.ArrowException: The file is not a Parquet file.
    """
    with pq.ParquetFile(path) as file:
        return file.read(columns=list(columns))
