import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embshift.runs.arrow import as_array, describe_damage, read_columns


@pytest.mark.parametrize("kind", [pa.int32(), pa.int64(), pa.float32(), pa.float64()])
def test_a_column_of_numbers_is_the_array_that_arrow_gives(kind):
    whole = pa.array([1, 2, 3, 4], kind)
    for column in (whole, pa.chunked_array([whole[:3], whole[3:]]), pa.chunked_array([], kind), whole[1:3]):
        found = as_array(column)
        assert found.dtype == kind.to_pandas_dtype()
        assert found.tolist() == column.to_pylist()


def test_what_is_undefined_stays_so():
    assert np.isnan(as_array(pa.array([np.nan, 1.0]))).tolist() == [True, False]


def test_columns_come_in_the_order_that_was_asked_for(tmp_path):
    table = pa.table({"a": [1, 2], "b": ["x", "y"], "c": [0.5, 1.5]})
    pq.write_table(table, tmp_path / "one.parquet")
    assert read_columns(tmp_path / "one.parquet", ["c", "a"]) == table.select(["c", "a"])


@pytest.mark.parametrize(
    ("name", "run", "made"),
    [
        ("shifts/chunk-000000.parquet", "", "made"),
        ("explain/shifts/chunk-000000.parquet", "explain", "made"),  # of a run that is called so
        ("explain/shares/chunk-000000.parquet", "", "explained"),
        ("explain/texts.parquet", "", "explained"),
    ],
)
def test_the_way_out_of_damage_names_the_run_and_what_makes_the_file(name, run, made, tmp_path):
    told = describe_damage(tmp_path / name, "it is cut")
    again = f"run 'embshift verify {tmp_path / run} --repair', then the command that {made} the run"
    assert told.endswith(f"is damaged (it is cut); {again}, which makes it again")
