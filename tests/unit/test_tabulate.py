"""The tables of a chunk against a literal writing, row by row."""

import numpy as np

from embshift.core.types import ORIGINAL
from embshift.measurement.pipeline.tabulate import tabulate
from tests.unit.fake_encoder import DIM, FakeEncoder
from tests.unit.test_pipeline import KINDS, item, measured

METADATA = {"fingerprint": "f"}


def key(result, attempt, *names):
    every = {
        "row": result.listed.record.row,
        "image_id": result.decoded.image_id,
        "transform": attempt.transform,
        "severity": attempt.severity,
        "strength": attempt.strength,
        "draw": attempt.draw,
    }
    return {name: every[name] for name in names or every}


def embeddings(result):
    encoded = iter([] if result.encoding is None else result.encoding.embedding.tolist())
    for attempt in result.attempts:
        yield key(result, attempt) | {
            "status": attempt.status,
            "error": attempt.error,
            "parameters": attempt.parameters,
            "pixels_digest": attempt.digest,
            "embedding": next(encoded) if attempt.status == "ok" else None,
        }


def shifts(result):
    views = [one for one in result.attempts if one.status == "ok" and one.transform != ORIGINAL]
    for name, column in result.values.items():
        for attempt, value in zip(views, column, strict=True):
            yield key(result, attempt) | {"metric": name, "value": float(value)}


def attention(result):
    encoding = result.encoding
    if encoding is None or not result.listed.sampled:
        return
    for place, attempt in enumerate(one for one in result.attempts if one.status == "ok"):
        yield key(result, attempt, "row", "image_id", "transform", "draw") | {
            "rows": encoding.grid[0],
            "columns": encoding.grid[1],
            "field": [float(side) for side in encoding.field],
            "map": encoding.attention[place].mean(dim=0).tolist(),
        }


def test_every_row_is_that_of_its_own_view():
    items = [item(row, kind, sampled=row % 3 > 0) for row, kind in enumerate(2 * KINDS)]
    results = measured(items, encoder=FakeEncoder(poison=np.nan))
    found = tabulate(results, dim=DIM, metadata=METADATA)
    for name, literal in (("embeddings", embeddings), ("shifts", shifts), ("attention", attention)):
        wanted = [row for result in results for row in literal(result)]
        assert wanted
        # NaN, which a value may be, equals nothing; written out it does.
        assert repr(found[name].to_pylist()) == repr(wanted), name
    assert [row["status"] for row in found["images"].to_pylist()] == [one.decoded.status for one in results]
    assert all(table.schema.metadata == {b"fingerprint": b"f"} for table in found.values())


def test_a_chunk_of_nothing_that_can_be_read_has_its_tables():
    results = measured([item(0, "damaged"), item(1, "damaged")])
    found = tabulate(results, dim=DIM, metadata=METADATA)
    assert {name: table.num_rows for name, table in found.items()} == {
        "images": 2,
        "embeddings": 0,
        "shifts": 0,
        "attention": 0,
    }


def test_without_embeddings_every_other_column_is_the_same():
    results = measured([item(row, kind, sampled=True) for row, kind in enumerate(KINDS)])
    with_, without = (
        tabulate(results, dim=DIM, metadata=METADATA, keep_embeddings=kept) for kept in (True, False)
    )
    assert with_["embeddings"]["embedding"].null_count < len(with_["embeddings"])
    assert without["embeddings"]["embedding"].null_count == len(without["embeddings"])
    for name, table in with_.items():
        assert table.schema.equals(without[name].schema, check_metadata=True)
        columns = [column for column in table.column_names if column != "embedding"]
        # NaN, which a value may be, equals nothing; written out it does.
        assert repr(table.select(columns).to_pylist()) == repr(without[name].select(columns).to_pylist())
