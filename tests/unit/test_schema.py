"""The tables of a run folder, as they are specified and as they are written."""

import pyarrow as pa
import pytest

from embshift.runs.schema import TABLES

SPECIFIED = {
    "images": "row image_id source member index path bytes sha256 width height mode status error",
    "embeddings": "row image_id transform severity strength draw status error"
    " parameters pixels_digest embedding",
    "shifts": "row image_id transform severity strength draw metric value",
    "attention": "row image_id transform draw rows columns field map",
}
_PARTS = {"offset", "length", "column", "source_id", "caption", "label"}
MORE = {"images": {"path_bytes", "flags", "sampled", "perceptual_hash", *_PARTS}}
"""What the implementation adds, and documents in the column's own words."""


@pytest.mark.parametrize("name", list(SPECIFIED))
def test_columns_are_those_specified_in_order(name):
    found = [column.name for column in TABLES[name].columns]
    assert [column for column in found if column not in MORE.get(name, ())] == SPECIFIED[name].split()
    assert set(found) - set(SPECIFIED[name].split()) == MORE.get(name, set())


def test_tables_are_those_specified():
    assert set(TABLES) == set(SPECIFIED)
    assert all(TABLES[name].name == name for name in TABLES)


def test_the_join_key_is_the_same_everywhere():
    assert {table.arrow().field("row").type for table in TABLES.values()} == {pa.int64()}


def test_every_column_says_what_it_holds():
    assert all(len(column.meaning) > 10 for table in TABLES.values() for column in table.columns)
    assert all(len(table.summary) > 10 for table in TABLES.values())


def test_an_embedding_has_the_encoders_length():
    schema = TABLES["embeddings"].arrow(dim=512, metadata={"fingerprint": "f"})
    assert schema.field("embedding").type == pa.list_(pa.float32(), 512)
    assert schema.metadata == {b"fingerprint": b"f"}


def test_types_of_what_is_counted_on():
    assert TABLES["shifts"].arrow().field("value").type == pa.float64()
    assert TABLES["attention"].arrow().field("field").type == pa.list_(pa.float32(), 4)
    assert TABLES["images"].arrow().field("path_bytes").type == pa.binary()
