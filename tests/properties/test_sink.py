"""Whatever order chunks are written in, and wherever writing stops: what is committed is whole."""

import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.runs.chunks import ParquetSink
from embshift.runs.files import write_aside
from embshift.runs.schema import TABLES
from embshift.runs.seal import SEALED, check_seal, write_sealed
from tests.faults.amounts import amount


def tables(count: int, seed: int) -> dict[str, pa.Table]:
    """Tables with rows of any values, as far as their types allow."""
    rng, made = np.random.default_rng(seed), {}
    for name, table in TABLES.items():
        schema = table.arrow(dim=3, metadata={"fingerprint": "f"})
        made[name] = pa.table([column(field.type, count, rng) for field in schema], schema=schema)
    return made


def column(kind: pa.DataType, count: int, rng: np.random.Generator) -> pa.Array:
    if pa.types.is_fixed_size_list(kind):
        flat = rng.normal(size=count * kind.list_size)
        return pa.array(flat.reshape(count, kind.list_size).tolist(), type=kind)
    if pa.types.is_list(kind):
        return pa.array([rng.normal(size=int(rng.integers(0, 5))).tolist() for _ in range(count)], type=kind)
    if pa.types.is_floating(kind):
        return pa.array(rng.choice([0.5, np.nan, np.inf, -0.0], count), type=kind)
    if pa.types.is_boolean(kind):
        return pa.array(rng.random(count) < 0.5)
    if pa.types.is_integer(kind):
        return pa.array(
            [None if value == 7 else int(value) for value in rng.integers(0, 100, count)], type=kind
        )
    if pa.types.is_fixed_size_binary(kind):
        drawn = [rng.bytes(kind.byte_width) for _ in range(count)]
        return pa.array([None if one[0] < 80 else one for one in drawn], type=kind)
    words = [None, "", "é", "a\x00b", "\x18\x04seal\x18@" + "0" * 64]
    chosen = [words[int(at)] for at in rng.integers(0, len(words), count)]
    if pa.types.is_binary(kind):
        chosen = [None if word is None else word.encode() for word in chosen]
    return pa.array(chosen, type=kind)


@given(count=st.integers(0, 20), seed=st.integers(0, 10**6), chunks=st.permutations(range(3)))
@settings(max_examples=amount(full=100, quick=6), deadline=None)
def test_every_chunk_comes_back_as_it_was_written(count, seed, chunks):
    with tempfile.TemporaryDirectory() as folder:
        sink = ParquetSink(folder=Path(folder), fingerprint="f")
        written = {chunk: tables(count, seed + chunk) for chunk in chunks}
        for chunk, content in written.items():
            sink.write(chunk, content)
        assert sink.discard_uncommitted() == 0
        for chunk, content in written.items():
            for name, table in content.items():
                path = Path(folder) / name / f"chunk-{chunk:06d}.parquet"
                assert check_seal(path) == SEALED
                found = pq.read_table(path)
                # NaN equals nothing, so what is shown of the values is compared.
                assert repr(found.to_pylist()) == repr(table.to_pylist())
                assert found.schema.equals(table.schema, check_metadata=False)


class Stop(Exception):
    pass


@given(order=st.permutations(range(3)), after=st.integers(0, 11))
@settings(max_examples=amount(full=300, quick=15), deadline=None)
def test_wherever_it_stops_a_chunk_is_there_in_whole_or_not(order, after):
    calls = iter(range(100))

    def stopping(path, write):
        if next(calls) == after:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f".{path.name}.1.tmp").write_bytes(b"half")
            raise Stop
        write_aside(path, write)

    with tempfile.TemporaryDirectory() as folder, patch("embshift.runs.chunks.write_aside", stopping):
        sink = ParquetSink(folder=Path(folder), fingerprint="f")
        try:
            for chunk in order:
                sink.write(chunk, tables(2, chunk))
        except Stop:
            pass
        whole = [chunk for at, chunk in enumerate(order) if 4 * (at + 1) <= after]
        assert [chunk for chunk in range(3) if sink.has(chunk)] == sorted(whole)
        sink.discard_uncommitted()
        left = sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file())
        assert left == sorted(f"{name}/chunk-{chunk:06d}.parquet" for name in TABLES for chunk in whole)


@given(data=st.binary(min_size=0, max_size=60), seed=st.integers(0, 100))
@settings(max_examples=amount(full=1000, quick=40), deadline=None)
def test_no_other_bytes_pass_for_a_sealed_file(data, seed):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.parquet"
        write_sealed(path, tables(3, seed)["shifts"])
        whole = path.read_bytes()
        at = seed * len(whole) // 101
        changed = whole[:at] + data + whole[at + len(data) :]
        path.write_bytes(changed)
        assert (check_seal(path) == SEALED) == (changed == whole)
