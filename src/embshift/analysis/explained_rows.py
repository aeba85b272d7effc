"""Rows of an explanation's tables that belong to one transform. Never imports torch."""

import numpy as np
import pyarrow as pa
from jaxtyping import Int64

from embshift.core.errors import UnknownNameError
from embshift.runs.arrow import as_array
from embshift.runs.explained import ExplainedTables

__all__ = ["SAMPLED", "get_rows", "read_own"]

SAMPLED = ("row", "transform", "draw")
"""Columns that name a view."""


def read_own(found: ExplainedTables, table: str, transform: str, columns: tuple[str, ...]) -> pa.Table:
    """Return the rows of one transform, in order of images: row, transform, draw and the columns asked for.

    Args:
        found: The explanation.
        table: A table with one row for each view or more.
        transform: The transform.
        columns: Names of further columns.

    Raises:
        UnknownNameError: If the explanation has no such transform.
    """
    whole = found.read(table, [*SAMPLED, *columns])
    names = whole["transform"].to_pylist()
    if transform not in names:
        raise UnknownNameError("transform", transform, list(dict.fromkeys(names)))
    return whole.filter(pa.array([name == transform for name in names], pa.bool_()))


def get_rows(table: pa.Table) -> Int64[np.ndarray, " views"]:
    """Return the row of each view's image in the run's listing."""
    return as_array(table["row"]).astype(np.int64)
