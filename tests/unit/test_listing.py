"""Sources become one sorted listing; every input is a row, and nothing but a regular file is opened."""

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from embshift.core.errors import PlanError, SourceError
from embshift.images import SUFFIXES, Limits, decode, list_sources, stream_sources

NINE = {".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def members(*sources):
    return [record.member for record in list_sources(sources)]


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\xff\xd8 not text")


def statuses(*sources):
    return {record.member: decode(record, limits=Limits()).status for record in list_sources(sources)}


def test_the_nine_suffixes_in_any_case(tmp_path):
    assert SUFFIXES == NINE
    wanted = [f"a{suffix}" for suffix in NINE] + [f"B{suffix.upper()}" for suffix in NINE]
    touch(tmp_path, *wanted, "notes.txt", "a.jpg.part", "jpg", ".jpg", "c.JpEg")
    assert members(tmp_path) == sorted([*wanted, "c.JpEg"])


def test_rows_count_from_zero_in_the_order_of_bytes_whatever_the_order_of_creation(tmp_path):
    names = [
        "a.jpg",
        "B.jpg",
        "a/z.jpg",
        "a-b.jpg",
        "a/b/c.PNG",
        "ä.jpg",
        "b.jpg",
        "z/a.gif",
        "10.jpg",
        "9.jpg",
    ]
    listings = []
    for seed in range(4):
        folder = tmp_path / str(seed)
        touch(folder, *random.Random(seed).sample(names, len(names)))
        listings.append(members(folder))
        assert [record.row for record in list_sources([folder])] == list(range(len(names)))
    assert all(listing == sorted(names, key=os.fsencode) for listing in listings)


PARTS = st.sampled_from(["a", "a-b", "a.b", "a0", "A", "b", "é", "a b"])


@given(trees=st.sets(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=12))
@settings(max_examples=40, deadline=None)
def test_any_tree_is_walked_in_the_order_of_its_paths_bytes(trees):
    with TemporaryDirectory() as folder:
        touch(Path(folder), "z.jpg", *(f"{tree}.jpg" for tree in trees))
        wanted = sorted(["z.jpg", *(f"{tree}.jpg" for tree in trees)], key=os.fsencode)
        assert members(folder) == wanted


def test_a_folder_is_listed_as_it_is_walked(tmp_path):
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    found = stream_sources([tmp_path])
    assert next(found).member == "a/1.jpg"
    touch(tmp_path, "b/3.jpg")
    assert [record.member for record in found] == ["b/2.jpg", "b/3.jpg"]


def test_paths_are_absolute_and_sources_as_given(tmp_path, monkeypatch):
    touch(tmp_path, "in/a.jpg")
    monkeypatch.chdir(tmp_path)
    (record,) = list_sources(["in"])
    assert (record.source, record.member, record.path) == ("in", "a.jpg", str(tmp_path / "in" / "a.jpg"))
    assert record.index == 0


def test_several_sources_follow_each_other_and_a_file_counts_once(tmp_path):
    touch(tmp_path, "two/b.jpg", "one/a.jpg", "one/c.jpg")
    found = list_sources([tmp_path / "two", tmp_path / "one" / "c.jpg", tmp_path / "one", str(tmp_path)])
    assert [record.member for record in found] == ["b.jpg", "c.jpg", "a.jpg"]
    assert [record.row for record in found] == [0, 1, 2]


def test_a_picture_file_is_taken_whatever_its_suffix(tmp_path):
    touch(tmp_path, "a.jpg", "picture")
    assert members(tmp_path / "a.jpg", tmp_path / "picture") == ["a.jpg", "picture"]


class TestGlob:
    def test_takes_pictures_alone_in_order(self, tmp_path):
        touch(tmp_path, "b.jpg", "a.PNG", "c.txt", "d/e.jpg", "folder.jpg/x.txt")
        assert members(f"{tmp_path}/*") == [f"{tmp_path}/a.PNG", f"{tmp_path}/b.jpg"]

    def test_two_stars_look_into_folders(self, tmp_path, monkeypatch):
        touch(tmp_path, "a.jpg", "d/e.jpg", "d/f/g.jpg", "d/f/h.png", ".hidden/i.jpg")
        monkeypatch.chdir(tmp_path)
        assert members("**/*.jpg") == [".hidden/i.jpg", "a.jpg", "d/e.jpg", "d/f/g.jpg"]
        assert members("d/**/*.jpg") == ["d/e.jpg", "d/f/g.jpg"]
        assert members("**/f/*") == ["d/f/g.jpg", "d/f/h.png"]
        assert members(f"{tmp_path}/d/**/[gh].*") == [f"{tmp_path}/d/f/g.jpg", f"{tmp_path}/d/f/h.png"]

    def test_two_stars_follow_no_links_to_folders(self, tmp_path):
        touch(tmp_path, "a/b.jpg")
        for name in "xyz":
            (tmp_path / "a" / name).symlink_to(tmp_path, target_is_directory=True)
        with patch("os.scandir", wraps=os.scandir) as scanned:
            assert members(f"{tmp_path}/**/*.jpg") == [f"{tmp_path}/a/b.jpg"]
        assert scanned.call_count <= 2, "the folder and the one inside it"

    def test_a_file_with_magic_in_its_name_is_that_file(self, tmp_path):
        touch(tmp_path, "a[1].jpg", "a1.jpg")
        assert members(tmp_path / "a[1].jpg") == ["a[1].jpg"]

    def test_that_matches_nothing(self, tmp_path):
        with pytest.raises(
            SourceError, match=r"no image in .*\*\.jpg; expected files that end in avif bmp gif"
        ):
            list_sources([f"{tmp_path}/*.jpg"])


class TestTextFile:
    def test_paths_are_relative_to_its_folder_and_missing_ones_are_rows(self, tmp_path, monkeypatch):
        touch(tmp_path, "in/b.jpg", "in/c d.jpg", "elsewhere.jpg")
        text = tmp_path / "in" / "list.txt"
        text.write_text(f"b.jpg\r\n\n   \nmissing.jpg\nc d.jpg\nb.jpg\n./b.jpg\n{tmp_path}/elsewhere.jpg\n")
        monkeypatch.chdir("/")
        found = list_sources([text])
        assert {Path(str(record.path)).name for record in found} == {
            "b.jpg",
            "c d.jpg",
            "elsewhere.jpg",
            "missing.jpg",
        }
        assert len(found) == 4
        assert sorted(statuses(text).values()) == ["missing", "unsupported", "unsupported", "unsupported"]

    def test_names_that_are_no_text(self, tmp_path):
        touch(tmp_path, "caf\udce9.jpg")
        (tmp_path / "list.txt").write_bytes(b"caf\xe9.jpg\n")
        assert statuses(tmp_path / "list.txt") == {"caf\udce9.jpg": "unsupported"}

    def test_a_mark_of_the_byte_order_is_no_part_of_a_name(self, tmp_path):
        (tmp_path / "list").write_text("a.jpg\n", encoding="utf-8-sig")
        assert members(tmp_path / "list") == ["a.jpg"]

    def test_a_name_that_no_file_can_have_is_a_row(self, tmp_path):
        (tmp_path / "list").write_bytes(b"a" * 5000 + b".jpg\nb\0c.jpg\n")
        assert set(statuses(tmp_path / "list").values()) == {"unreadable"}

    def test_a_long_text_is_text_also_where_the_probe_cuts_a_character(self, tmp_path):
        (tmp_path / "list").write_text("a" + "é" * 3000 + ".jpg\nb.jpg")
        assert len(members(tmp_path / "list")) == 2

    def test_blank(self, tmp_path):
        (tmp_path / "list.txt").write_text("\n \n")
        with pytest.raises(SourceError, match="no image in"):
            list_sources([tmp_path / "list.txt"])


@pytest.mark.parametrize("name", ["missing", "no/such/folder", "", "~nobody-of-that-name/x.jpg", "a\0b.jpg"])
def test_a_source_that_does_not_exist(tmp_path, monkeypatch, name):
    touch(tmp_path, "a.jpg")
    monkeypatch.chdir(tmp_path)
    wanted = "does not exist; expected a folder, an image file, a glob, a list of paths"
    with pytest.raises(PlanError, match=f"source '.*' {wanted}"):
        list_sources([name])


def test_a_source_that_cannot_be_looked_into(tmp_path):
    with pytest.raises(PlanError, match="cannot be read: File name too long; expected a folder"):
        list_sources([str(tmp_path / ("a" * 300))])


def test_an_empty_folder_says_what_was_wanted(tmp_path):
    with pytest.raises(SourceError, match=f"no image in {tmp_path}; expected files that end in avif .* webp"):
        list_sources([tmp_path])
    with pytest.raises(SourceError, match="no source given; expected a folder, an image file, a glob"):
        list_sources([])


def test_a_tree_of_traps_is_listed_at_once_and_each_picture_name_is_a_row(tmp_path):
    touch(tmp_path, "good.jpg", "down/good.jpg", "folder.jpg/inner.png")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "down" / "up").symlink_to("..", target_is_directory=True)
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    (tmp_path / "linked.jpg").symlink_to("good.jpg")
    os.mkfifo(tmp_path / "fifo.jpg")
    os.mkfifo(tmp_path / "fifo")
    with patch("os.scandir", wraps=os.scandir) as scanned, patch("builtins.open", wraps=open) as opened:
        found = statuses(tmp_path)
    assert scanned.call_count == 3, "the folder and the two inside it"
    assert {Path(call.args[0]).name for call in opened.call_args_list} == {
        "good.jpg",
        "inner.png",
        "linked.jpg",
    }, "no device and no pipe is opened"
    assert found == {
        "dangling.jpg": "missing",
        "device.jpg": "not_a_file",
        "down/good.jpg": "unsupported",
        "fifo.jpg": "not_a_file",
        "folder.jpg/inner.png": "unsupported",
        "good.jpg": "unsupported",
        "linked.jpg": "unsupported",
        "self.jpg": "unreadable",
    }


def test_a_fifo_as_a_source_is_a_row(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert statuses(tmp_path / "fifo") == {"fifo": "not_a_file"}


def test_an_unreadable_folder_is_a_row_that_says_so(tmp_path, monkeypatch):
    touch(tmp_path, "good.jpg", "shut/hidden.jpg")
    scandir = os.scandir

    def refusing(path="."):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert statuses(tmp_path) == {"good.jpg": "unsupported", "shut": "unreadable"}
    assert "Permission denied" in str(decode(list_sources([tmp_path])[1], limits=Limits()).error)


def test_a_vanished_file_is_a_row(tmp_path):
    touch(tmp_path, "a.jpg")
    (record,) = list_sources([tmp_path])
    (tmp_path / "a.jpg").unlink()
    assert decode(record, limits=Limits()).status == "missing"


def test_names_that_are_no_text_and_names_of_two_lines(tmp_path):
    names = [b"caf\xe9.jpg", b"caf\xe8.jpg", b"two\nlines.jpg", b"tab\there.jpg", "café.jpg".encode()]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(b"\xff\xd8")
    found = list_sources([tmp_path])
    assert [os.fsencode(record.member) for record in found] == sorted(names)
    assert [os.fsencode(str(record.path)) for record in found] == [
        os.path.join(os.fsencode(tmp_path), name) for name in sorted(names)
    ]


class TestMemory:
    def test_pictures_and_arrays_in_the_order_given(self):
        grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
        given = [np.zeros((3, 4, 3), np.uint8), Image.new("RGB", (4, 3)), grey, np.zeros((3, 4, 3), np.uint8)]
        found = list_sources(given)
        assert [(record.row, record.index, record.path) for record in found] == [
            (i, i, None) for i in range(4)
        ]
        assert all(record.source == "memory" for record in found)
        decoded = [decode(record, limits=Limits()) for record in found]
        assert [one.status for one in decoded] == ["ok"] * 4
        assert decoded[0].image_id == decoded[3].image_id == decoded[1].image_id != decoded[2].image_id
        np.testing.assert_array_equal(decoded[2].pixels, np.stack([grey] * 3, axis=2))

    @pytest.mark.parametrize(
        ("thing", "named"),
        [
            (np.zeros((3, 4, 3), np.int64), r"ndarray int64 \(3, 4, 3\)"),
            (np.zeros((3, 4, 4), np.uint8), r"ndarray uint8 \(3, 4, 4\)"),
            (np.zeros((2, 3, 4, 3), np.uint8), r"ndarray uint8 \(2, 3, 4, 3\)"),
            (np.zeros(4, np.uint8), r"ndarray uint8 \(4,\)"),
            (5, "int"),
            (None, "NoneType"),
            (b"photos", "bytes"),
        ],
    )
    def test_what_is_no_picture(self, thing, named):
        with pytest.raises(
            PlanError, match=f"a source is {named}; expected a path, a PIL image, or a uint8 array"
        ):
            list_sources([thing])
