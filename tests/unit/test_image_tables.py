"""Tables as sources: rows are found without reading images, and images are read cell by cell."""

import hashlib
import io
import json
import random
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from embshift.core.errors import SourceError
from embshift.images import LeftOut, Limits, decode, list_sources
from embshift.images.cells import open_table

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def image(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(held := io.BytesIO(), "PNG")
    return held.getvalue()


def cells(count):
    return pa.array([{"bytes": image(at), "path": f"dir/{at}.png"} for at in range(count)], STRUCT)


def put(path, columns, features=None, **options):
    table = pa.table(columns)
    if features is not None:
        held = json.dumps({"info": {"features": features}})
        table = table.replace_schema_metadata({"huggingface": held})
    pq.write_table(table, path, **options)
    return path


def put_arrow(path, columns, new=pa.ipc.new_stream, **options):
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as file, new(file, table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


def listed(*sources):
    left = LeftOut()
    try:
        return list_sources(sources, left=left), left
    except SourceError:
        return (), left


def read(record):
    return decode(record, limits=Limits())


def statuses(records):
    return [read(one).status for one in records]


def why(left):
    return {one["reason"].split(";")[0].split(",")[0]: one["count"] for one in left.content()}


@pytest.mark.parametrize("kind", [STRUCT, pa.binary(), pa.large_binary()], ids=str)
def test_cells_are_read_in_any_order(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("embshift.images.parquet_cells._MOST_ROWS", 2)
    data = [image(at) for at in range(10)]
    held = [{"bytes": one, "path": None} for one in data] if kind == STRUCT else data
    path = put(tmp_path / "p.parquet", {"x": range(10), "image": pa.array(held, kind)}, row_group_size=4)
    found, left = listed(path)
    assert [one.member for one in found] == [f"p.parquet:{at}" for at in range(10)]
    assert not left.content()
    for at in [0, 1, 2, 9, 3, 3, 8, 0, 3, 0, 2, 1, *random.Random(0).sample(range(10), 10)]:
        assert (read(found[at]).status, read(found[at]).bytes) == ("ok", len(data[at]))
        assert read(found[at]).sha256 == hashlib.sha256(data[at]).hexdigest()


def test_a_row_group_is_decoded_once_for_rows_in_their_order(tmp_path, monkeypatch):
    path = put(tmp_path / "p.parquet", {"image": cells(9)}, row_group_size=3)
    monkeypatch.setattr("embshift.images.parquet_cells._MOST_ROWS", 2)
    found, _ = listed(path)
    kind, begun = type(open_table(str(path))), list[int]()
    begin = kind._begin

    def count(self, group, column, most):
        begun.append(group)
        begin(self, group, column, most)

    monkeypatch.setattr(kind, "_begin", count)
    assert statuses(found) == ["ok"] * 9
    assert begun == [0, 1, 2]


def test_what_the_library_datasets_writes_gives_names_captions_and_labels(tmp_path):
    columns = {
        "img": cells(4),
        "fine_label": [1, 0, -1, 9],
        "text": ["a  b", None, "", "c"],
        "id": [5, 6, 7, 8],
    }
    features = {
        "img": {"_type": "Image"},
        "fine_label": {"_type": "ClassLabel", "names": ["cat", "dog"]},
        "text": {"_type": "Value"},
    }
    found, _ = listed(put(tmp_path / "p.parquet", columns, features))
    said = [(one.member, one.source_id, one.caption, one.label) for one in found]
    assert said == [
        ("0.png", "5", "a b", "dog"),
        ("1.png", "6", None, "cat"),
        ("2.png", "7", None, None),
        ("3.png", "8", "c", None),
    ]


@pytest.mark.parametrize("features", [[], {"label": {"_type": "ClassLabel", "names": 3}}, {"label": 3}, None])
def test_odd_descriptions_of_columns_are_not_used(tmp_path, features):
    found, _ = listed(put(tmp_path / "p.parquet", {"image": cells(1), "label": [7]}, features))
    assert found[0].label == "7"


def test_texts_of_other_types(tmp_path):
    label = pa.array(["a", "b"]).dictionary_encode()
    captions = pa.array([["one", "two"], []], pa.list_(pa.string()))
    broken = pa.StringArray.from_buffers(
        2, pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"\xffx")
    )
    path = put(
        tmp_path / "p.parquet", {"image": cells(2), "label": label, "captions": captions, "key": broken}
    )
    found, _ = listed(path)
    assert [(one.source_id, one.caption, one.label) for one in found] == [
        ("\ufffd", "one", "a"),
        ("x", None, "b"),
    ]


def test_nulls_and_cells_without_bytes_are_rows_with_a_status(tmp_path):
    held = [
        None,
        {"bytes": None, "path": "a.png"},
        {"bytes": b"", "path": None},
        {"bytes": b"no", "path": ""},
    ]
    path = put(
        tmp_path / "p.parquet", {"image": pa.array([*held, {"bytes": image(0), "path": None}], STRUCT)}
    )
    found, _ = listed(path)
    assert statuses(found) == ["empty", "empty", "empty", "unsupported", "ok"]
    assert "is null" in read(found[0]).error


def test_tables_without_images_are_named(tmp_path):
    put(tmp_path / "number.parquet", {"image": [1, 2]})
    put(tmp_path / "several.parquet", {"image": pa.array([[{"bytes": b"", "path": ""}]], pa.list_(STRUCT))})
    put(tmp_path / "two.parquet", {"a": [b"1"], "b": [b"2"]})
    put(tmp_path / "none.parquet", {})
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" * 9)
    (tmp_path / "empty.parquet").write_bytes(b"")
    found, left = listed(tmp_path)
    assert (found, why(left)) == ((), {"no column holds images: bytes": 4, "cannot be read": 2})
    with pytest.raises(SourceError, match="no column holds images"):
        list_sources([tmp_path / "two.parquet"])


def test_a_table_of_paths_is_a_list_in_its_order(tmp_path):
    columns = {"file_name": ["z.png", "a.png", "./z.png"], "caption": ["one", None, "three"]}
    path = put(tmp_path / "p.parquet", columns)
    found, left = listed(path)
    assert [(one.member, one.caption, one.is_part) for one in found] == [
        ("z.png", "one", False),
        ("a.png", None, False),
    ]
    assert sum(why(left).values()) == 1
    assert listed(tmp_path)[0] == ()  # a folder of tables stands for the images inside them


@pytest.mark.parametrize("new", [pa.ipc.new_stream, pa.ipc.new_file])
def test_data_sets_saved_to_disk(tmp_path, new):
    for at in range(2):
        put_arrow(tmp_path / f"data-0000{at}-of-00002.arrow", {"image": cells(5), "label": [*"abcde"]}, new)
    put_arrow(tmp_path / "cache-1.arrow", {"image": cells(1)})
    (tmp_path / "state.json").write_text("{}")
    found, left = listed(tmp_path)
    assert statuses(found) == ["ok"] * 10
    assert [one.label for one in found] == [*"abcde"] * 2
    assert why(left)["a cache of the library datasets"] == 1
    assert len({one.identity for one in found}) == 10


def test_offsets_that_lead_out_of_an_arrow_file_are_found(tmp_path):
    path = put_arrow(tmp_path / "a.arrow", {"image": [b"01234", b"56789"]})
    own, wild = (np.array([0, 5, end], np.int32).tobytes() for end in (10, 2**30))
    assert path.read_bytes().count(own) == 1
    path.write_bytes(path.read_bytes().replace(own, wild))
    found, left = listed(path)
    assert (found, why(left)) == ((), {"cannot be read": 1})


def test_a_compressed_arrow_file_is_refused_with_the_remedy(tmp_path):
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    zeros = pa.array([b"\0" * 2**20] * 8)
    path = put_arrow(tmp_path / "a.arrow", {"image": zeros}, options=options)
    with pytest.raises(SourceError, match="to_parquet"):
        list_sources([path])


def test_a_table_written_again_gives_changed_rows(tmp_path):
    path = put(tmp_path / "p.parquet", {"image": cells(3)})
    found, _ = listed(path)
    again = path.read_bytes()
    put(path, {"image": cells(2), "more": [1, 2]})
    assert statuses(found) == ["changed"] * 3
    path.write_bytes(again)  # at another time: its content tells
    assert statuses(found) == ["ok"] * 3
    path.unlink()
    assert statuses(found) == ["missing"] * 3


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_a_damaged_table_never_ends_the_listing(tmp_path, suffix):
    path = (put if suffix == "parquet" else put_arrow)(
        tmp_path / f"p.{suffix}", {"image": cells(4), "label": [*"abcd"]}
    )
    data, draw = path.read_bytes(), random.Random(2)
    for cut in draw.sample(range(len(data)), 20):
        path.write_bytes(data[:cut])
        found, left = listed(path)
        assert found or left.content()
        statuses(found)
    for _ in range(60):
        broken = bytearray(data)
        broken[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(broken)
        found, left = listed(path)
        assert found or left.content()
        assert set(statuses(found)) <= {
            "ok",
            "damaged",
            "unsupported",
            "unreadable",
            "empty",
            "changed",
            "too_large",
        }


@pytest.mark.parametrize("dictionary", [False, True])
def test_a_page_too_large_to_decode_is_refused_with_the_remedy(tmp_path, monkeypatch, dictionary):
    data = [np.random.default_rng(at).bytes(9000) for at in range(10)]
    found, _ = listed(
        put(tmp_path / "p.parquet", {"image": data}, compression=None, use_dictionary=dictionary)
    )
    monkeypatch.setattr("embshift.images.parquet_cells._MOST_PAGE", 90_039)
    assert statuses(found[:1]) == ["too_large"]
    size = 90_040 if dictionary else 90_046  # with the levels of the values
    assert f"a page of its row group has {size:,} bytes" in read(found[0]).error
    monkeypatch.setattr("embshift.images.parquet_cells._MOST_PAGE", size)
    assert statuses(found[:1]) == ["unsupported"]


@pytest.mark.slow
def test_a_huge_row_group_takes_little_memory(tmp_path):
    draw = np.random.default_rng(0)
    schema = pa.schema([("image", pa.binary())])
    with pq.ParquetWriter(tmp_path / "p.parquet", schema, write_batch_size=16) as writer:
        writer.write_table(pa.table({"image": [draw.bytes(2**20) for _ in range(400)]}, schema=schema))
    code = (
        "import resource, sys; from embshift.images import list_sources, decode, Limits\n"
        "import embshift.images.cells\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "before = peak()\n"
        "for one in list_sources([sys.argv[1]]): decode(one, limits=Limits())\n"
        "print(peak() - before)"
    )
    call = [sys.executable, "-c", code, str(tmp_path / "p.parquet")]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 250  # MiB, of 400
