"""Results as tables of named columns: for pandas, and for notebooks."""

import importlib
import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from embshift.core.errors import MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Record", "Tabular", "list_fields", "to_pandas", "write_html"]

Record: TypeAlias = dict[str, Any]
"""A row: values by the name of their column, the same names in every row of a table."""


@runtime_checkable
class Tabular(Protocol):
    """A result that is a table."""

    def records(self) -> list[Record]:
        """Return the rows, with full precision; undefined is NaN."""
        ...


def to_pandas(self: Tabular) -> "pd.DataFrame":
    """Return the result as a pandas DataFrame, with full precision; undefined is NaN.

    Raises:
        MissingExtraError: If pandas is not installed.
    """
    try:
        importlib.import_module("pandas")
    except ImportError:
        raise MissingExtraError("pandas", "pandas") from None
    import pandas as pd

    return pd.DataFrame.from_records(self.records())


def write_html(self: Tabular) -> str:
    """Write the result as an HTML table, for a notebook; names are escaped."""
    records = self.records()
    head = "".join(f"<th>{escape(name)}</th>" for name in (records[0] if records else ()))
    body = "".join(f"<tr>{_write_cells(record)}</tr>" for record in records)
    caption = f"<caption>{escape(type(self).__name__)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _write_cells(record: Mapping[str, Any]) -> str:
    return "".join(f"<td>{escape(_format_value(value))}</td>" for value in record.values())


def _format_value(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return "undefined" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def list_fields(row: object, names: Iterable[str], *, prefix: str = "") -> Record:
    """Return attributes of an object by name.

    Args:
        row: The object.
        names: The names of its attributes.
        prefix: Text before each name in the record.
    """
    return {f"{prefix}{name}": getattr(row, name) for name in names}
