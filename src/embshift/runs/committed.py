"""Committed chunks of a run folder: which there are, and all of one table at once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from embshift.core.errors import RunError
from embshift.runs.arrow import check_table, describe_damage
from embshift.runs.places import file_in, list_chunks
from embshift.runs.schema import TABLES

__all__ = ["chunk_names", "read_table"]


def chunk_names(folder: Path, info: Mapping[str, Any]) -> list[str]:
    """List the file names of committed chunks, in order of rows; they are the same for all tables.

    Args:
        folder: The run folder.
        info: The content of ``run.json``.

    Raises:
        RunError: If the run is finished and not all of its chunks are there.
    """
    # A chunk is committed by its file in images/; an interrupted one has none there.
    names = [path.name for path in list_chunks(folder, "images")]
    wanted = info.get("files", {}).get("chunks", min(1, info.get("counts", {}).get("images", 0)))
    if info.get("state") == "finished" and len(names) < wanted:
        raise RunError(
            f"{folder / 'images'} holds {len(names):,} of the run's {wanted:,} chunks; run the command that"
            " made the run, which makes the others again"
        )
    return names


def read_table(
    folder: Path,
    table: str,
    *,
    info: Mapping[str, Any],
    columns: Sequence[str] | None = None,
    filters: Any = None,
    schema: pa.Schema | None = None,
) -> pa.Table:
    """Read all committed chunks of one table; an empty table with the same columns if there is none.

    Args:
        folder: The run folder.
        table: A name in `TABLES`.
        info: The content of ``run.json``.
        columns: Names of the columns; all of them if None.
        filters: An expression that rows must fulfil.
        schema: Columns of the result, null in chunks that lack them; those of the first chunk if None.

    Raises:
        RunError: If a file is missing or damaged, or belongs to another run.
    """
    files = [file_in(folder, table, name) for name in chunk_names(folder, info)]
    if not files:
        return TABLES[table].arrow(dim=1).empty_table().select(columns or TABLES[table].arrow().names)
    for file in files:
        check_table(file, fingerprint=info.get("fingerprint"))
    wanted = None if columns is None else list(columns)
    try:
        return pq.read_table(files, columns=wanted, filters=filters, schema=schema)
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise RunError(describe_damage(files[0], error)) from error
