"""Tables of two runs side by side."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from embshift.runs.schema import TABLES

KEYS = {
    "images": ["row"],
    "embeddings": ["row", "transform", "draw"],
    "shifts": ["row", "transform", "draw", "metric"],
    "attention": ["row", "transform", "draw"],
}


def read(run: Path, table: str) -> pa.Table:
    files = sorted((run / table).glob("chunk-*.parquet"))
    return pa.concat_tables([pq.read_table(file).replace_schema_metadata(None) for file in files])


def ordered(run: Path, table: str) -> pa.Table:
    return read(run, table).sort_by([(key, "ascending") for key in KEYS[table]]).combine_chunks()


def assert_identical(one: Path, other: Path, *, drop: tuple[str, ...] = ()) -> None:
    """Bit by bit, every table."""
    for table in TABLES:
        a, b = (ordered(run, table) for run in (one, other))
        dropped = [name for name in drop if name in a.column_names]
        assert len(a) == len(b), table
        assert a.drop_columns(dropped).equals(b.drop_columns(dropped)), table
