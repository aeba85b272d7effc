"""Records of images that are a part of a file: what tells them apart, and how a listing stores them."""

from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from embshift.core.errors import UsageError
from embshift.core.types import ImageRecord
from embshift.images import Limits, decode
from embshift.runs.listing import Listing, freeze_listing, write_listing
from embshift.runs.listing_changes import compare_listing, new_records
from embshift.runs.record_columns import LATER

FILE = ImageRecord(row=0, source="s", member="a.jpg", path="/p/a.jpg")
MEMBER = ImageRecord(
    row=0,
    source="a.tar",
    member="x/caf\udce9.jpg",
    path="/p/a.tar",
    offset=1024,
    length=77,
    etag="0badcafe",
    source_id="7",
    caption="a cat",
    label="cat",
)
CELL = ImageRecord(
    row=0, source="a.parquet", member="3", index=3, path="/p/a.parquet", column="image", etag="f"
)


def write(folder, records):
    path = folder / "listing.parquet"
    given = [replace(record, row=at) for at, record in enumerate(records)]
    write_listing(path, freeze_listing(given, count=len(given), chunk=2, sample=1, seed=0))
    return given, path


def test_every_field_comes_back(tmp_path):
    given, path = write(tmp_path, [FILE, MEMBER, CELL])
    found = Listing(path)
    assert [row.record for row in found] == given
    assert [(row.size, row.mtime_ns) for row in found] == [(-1, -1), (77, -1), (-1, -1)]


def test_a_listing_of_an_earlier_version_is_read(tmp_path):
    _, path = write(tmp_path, [FILE])
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(sorted(LATER)), path)
    assert [row.record for row in Listing(path)] == [FILE]


def test_parts_of_one_file_are_different_inputs():
    parts = [
        MEMBER,
        replace(MEMBER, offset=2048),
        replace(MEMBER, member="y.jpg"),
        CELL,
        replace(CELL, index=4),
        replace(CELL, column="mask"),
        FILE,
        replace(FILE, path="/p/b.jpg"),
    ]
    assert len({part.identity for part in parts}) == len(parts)
    assert replace(FILE, member="p/a.jpg", caption="c").identity == FILE.identity


def test_what_changed_inside_an_archive_is_told_by_its_etag(tmp_path):
    given, path = write(tmp_path, [MEMBER, replace(MEMBER, offset=2048, member="z.jpg")])
    now = [replace(given[0], etag="1"), given[1], replace(MEMBER, offset=4096, member="new.jpg")]
    change = compare_listing(Listing(path), lambda: now)
    assert (change.changed.first, change.new.first, change.gone.count) == (
        ("x/caf\udce9.jpg",),
        ("new.jpg",),
        0,
    )
    assert list(new_records(Listing(path), lambda: now)) == now[2:]


def test_an_unsorted_list_that_has_grown_is_paired_without_holding_it(tmp_path, monkeypatch):
    given, path = write(tmp_path, [replace(FILE, path=f"/p/{name}") for name in "cab"])
    monkeypatch.setattr("embshift.runs.listing_changes._looked_up", None)
    now = [*given, replace(FILE, path="/p/0")]
    assert list(new_records(Listing(path), lambda: iter(now))) == now[3:]


def test_an_address_is_neither_taken_for_a_file_nor_read_unasked():
    with pytest.raises(UsageError, match=r"s3://bucket/a.jpg is on another machine"):
        decode(replace(FILE, path="s3://bucket/a.jpg"), limits=Limits())
