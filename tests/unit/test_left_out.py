"""Nothing in a source is passed over in silence: it is an image, or it is counted with the reason."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from embshift.core.errors import SourceError
from embshift.images import LeftOut, Limits, decode, list_sources
from embshift.images.left_out import NOT_AN_IMAGE


def saved(kind, **options):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (10, 200, 30)).save(file, kind, **options)
    return file.getvalue()


JPEG = saved("JPEG")


def put(folder, *names, data=JPEG):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def look(*sources):
    """What is listed, and the reasons for the rest: by reason, how many and the first names."""
    left = LeftOut()
    found = [record.member for record in list_sources(sources, left=left)]
    return found, {one["reason"]: (one["count"], one["first"]) for one in left.content()}


def why(reasons, words):
    """The one reason that has these words in it."""
    (found,) = [value for reason, value in reasons.items() if words in reason]
    return found


def make_run(folder, *views):
    put(folder, *(views or ("views/000/blur.png",)), data=saved("PNG"))
    (folder / "run.json").write_text('{\n  "schema": 4,\n  "state": "running",\n  "fingerprint": "ab"\n}\n')


class TestContent:
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
    @pytest.mark.parametrize(
        "name", ["a.jfif", "a.jpe", "a.mpo", "a", "a.jpg?w=600", "a.unheard-of", "a.JPG "]
    )
    def test_decides_where_the_suffix_is_unknown(self, tmp_path, kind, name):
        put(tmp_path, name, data=saved(kind))
        assert look(tmp_path) == ([name], {})
        assert look(f"{tmp_path}/*")[1] == look(f"{tmp_path}/**/*")[1] == {}
        (record,) = list_sources([tmp_path])
        assert decode(record, limits=Limits()).status == "ok"

    @pytest.mark.parametrize(
        ("name", "data", "words"),
        [
            ("notes.txt", b"words", "not an image"),
            ("notes", b"BMW and other cars", "not an image"),
            ("a.json", b"{}", "not an image"),
            ("a.part", JPEG, "not an image"),
            ("empty", b"", "not an image"),
            ("a.HEIC", b"", "package pillow-heif"),
            ("a", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "package pillow-heif"),
            ("a", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "package pillow-heif"),
            ("a.NEF", b"II*\0", "camera's raw file"),
            ("a.svg", b"<svg>", "an image format that is not read"),
            ("a", b"\0\0\0\x0cJXL \r\n\x87\n", "an image format that is not read"),
        ],
    )
    def test_what_is_left_out_is_counted_and_named(self, tmp_path, name, data, words):
        put(tmp_path, "b.jpg")
        put(tmp_path, name, data=data)
        found, reasons = look(tmp_path)
        assert found == ["b.jpg"]
        assert why(reasons, words) == (1, [name])
        assert why(look(f"{tmp_path}/*")[1], words) == (1, [f"{tmp_path}/{name}"])

    def test_nothing_special_is_opened(self, tmp_path):
        put(tmp_path, "b.jpg")
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "gone").symlink_to("nowhere")
        (tmp_path / "device").symlink_to("/dev/zero")
        found, reasons = look(tmp_path)
        assert found == ["b.jpg"]
        assert why(reasons, "not a regular file") == (2, ["device", "pipe"])
        assert why(reasons, "cannot be read") == (1, ["gone"])

    def test_only_the_first_names_are_kept(self, tmp_path):
        put(tmp_path, "b.jpg", *(f"{number:02d}.txt" for number in range(30)))
        left = LeftOut()
        list_sources([tmp_path], left=left)
        assert list(left.lines()) == [
            "30 files left out: not an image (00.txt, 01.txt, 02.txt, 03.txt, 04.txt and 25 more)"
        ]

    def test_a_source_without_an_image_says_what_it_holds(self, tmp_path):
        put(tmp_path, "a.HEIC", "b.HEIC")
        with pytest.raises(
            SourceError, match=r"no image in .*; 2 files left out: HEIC, .* \(a.HEIC, b.HEIC\)"
        ):
            list_sources([tmp_path])


class TestRunFolders:
    @pytest.mark.parametrize("where", ["run", "runs/20260101-lite", "a/b/c"])
    def test_are_no_source_of_images(self, tmp_path, where):
        put(tmp_path, "a.jpg", "z.jpg")
        make_run(tmp_path / where)
        for source in (tmp_path, f"{tmp_path}/**/*", f"{tmp_path}/**/*.[jp][pn]g"):
            found, reasons = look(source)
            assert [Path(one).name for one in found] == ["a.jpg", "z.jpg"]
            assert why(reasons, "run folder")[0] == 1

    def test_not_even_through_a_flat_glob(self, tmp_path):
        put(tmp_path, "in/x.png", "run/x.png", "run/y.png", data=saved("PNG"))
        make_run(tmp_path / "run")
        found, reasons = look(f"{tmp_path}/*/*.png")
        assert found == [f"{tmp_path}/in/x.png"]
        assert why(reasons, "in a run folder") == (2, [f"{tmp_path}/run/x.png", f"{tmp_path}/run/y.png"])

    def test_not_even_as_a_source_or_through_a_link(self, tmp_path):
        make_run(tmp_path / "run")
        put(tmp_path, "in/a.jpg")
        (tmp_path / "in" / "link").symlink_to(tmp_path / "run" / "views")
        with pytest.raises(SourceError, match="1 folder left out: a run folder"):
            list_sources([tmp_path / "run"])
        found, reasons = look(tmp_path / "in")
        assert found == ["a.jpg"]
        assert why(reasons, "run folder") == (1, ["link"])

    def test_without_its_record_a_run_is_known_by_its_listing_and_plan(self, tmp_path):
        put(tmp_path, "a.jpg", "run/views/000/blur.jpg", "run/listing.parquet", "run/plan.toml")
        assert look(tmp_path)[0] == ["a.jpg"]

    def test_another_run_json_is_no_run(self, tmp_path):
        put(tmp_path, "in/a.jpg")
        (tmp_path / "in" / "run.json").write_text('{"run": "fast"}')
        assert look(tmp_path)[0] == ["in/a.jpg"]

    def test_its_kept_views_may_be_measured_on_request(self, tmp_path):
        make_run(tmp_path / "run")
        assert look(tmp_path / "run" / "views")[0] == ["000/blur.png"]


class TestLinks:
    def test_to_class_folders_elsewhere_are_followed(self, tmp_path):
        put(tmp_path, "in/cats/1.jpg", "store/dogs/2.jpg", "store/dogs/puppies/3.jpg")
        (tmp_path / "in" / "dogs").symlink_to(tmp_path / "store" / "dogs")
        assert look(tmp_path / "in") == (["cats/1.jpg", "dogs/2.jpg", "dogs/puppies/3.jpg"], {})
        assert [Path(one).name for one in look(f"{tmp_path}/in/**/*.jpg")[0]] == ["1.jpg", "2.jpg", "3.jpg"]

    def test_into_a_source_or_above_one_are_counted(self, tmp_path):
        put(tmp_path, "in/a/1.jpg", "other/2.jpg")
        (tmp_path / "in" / "b").symlink_to("a")
        (tmp_path / "in" / "c").symlink_to(tmp_path)
        (tmp_path / "in" / "d").symlink_to("/")
        (tmp_path / "in" / "e").symlink_to(tmp_path / "other")
        found, reasons = look(tmp_path / "in", tmp_path / "other")
        assert found == ["a/1.jpg", "2.jpg"]
        assert why(reasons, "searched anyway") == (4, ["b", "c", "d", "e"])

    def test_the_first_of_two_to_one_place_is_followed(self, tmp_path):
        put(tmp_path, "in/0.jpg", "x/y/1.jpg", "x/2.jpg")
        (tmp_path / "in" / "a").symlink_to(tmp_path / "x")
        (tmp_path / "in" / "b").symlink_to(tmp_path / "x")
        (tmp_path / "in" / "c").symlink_to(tmp_path / "x" / "y")
        found, reasons = look(tmp_path / "in")
        assert found == ["0.jpg", "a/2.jpg", "a/y/1.jpg"]
        assert why(reasons, "searched anyway") == (2, ["b", "c"])

    def test_a_folder_is_searched_once_also_where_its_parent_comes_later(self, tmp_path):
        put(tmp_path, "in/0.jpg", "x/y/1.jpg", "x/2.jpg")
        (tmp_path / "in" / "a").symlink_to(tmp_path / "x" / "y")
        (tmp_path / "in" / "b").symlink_to(tmp_path / "x")
        found, reasons = look(tmp_path / "in")
        assert found == ["0.jpg", "a/1.jpg", "b/2.jpg"]
        assert why(reasons, "searched anyway") == (1, ["b/y"])

    def test_circles_outside_of_the_sources_end(self, tmp_path):
        put(tmp_path, "in/0.jpg", "x/1.jpg", "y/2.jpg")
        (tmp_path / "in" / "a").symlink_to(tmp_path / "x")
        (tmp_path / "x" / "on").symlink_to(tmp_path / "y")
        (tmp_path / "y" / "back").symlink_to(tmp_path / "x")
        found, reasons = look(tmp_path / "in")
        assert found == ["0.jpg", "a/1.jpg", "a/on/2.jpg"]
        assert why(reasons, "searched anyway") == (1, ["a/on/back"])

    def test_a_source_that_is_a_link_is_searched(self, tmp_path):
        put(tmp_path, "store/1.jpg")
        (tmp_path / "in").symlink_to(tmp_path / "store")
        assert look(tmp_path / "in") == (["1.jpg"], {})


def test_folders_that_a_flat_glob_matches_are_counted(tmp_path):
    put(tmp_path, "a.jpg", "more/b.jpg")
    found, reasons = look(f"{tmp_path}/*")
    assert found == [f"{tmp_path}/a.jpg"]
    assert why(reasons, "matched by a glob") == (1, [f"{tmp_path}/more"])


def test_names_are_told_on_one_line_and_short():
    left = LeftOut()
    left.add(NOT_AN_IMAGE, "a\nerror: \x1b[31mb\u202e" + "y" * 10_000 + ".pdf")
    (line,) = left.lines()
    assert line.isprintable()
    assert "a\ufffderror: \ufffd[31mb\ufffdyy" in line
    assert line.endswith("yy.pdf)")
    assert len(line) < 350
