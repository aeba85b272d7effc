"""A report or figure replaces an earlier one of embshift, and nothing else."""

import os
import struct
from itertools import product

import cv2
import numpy as np
import pytest

import embshift
from embshift.core.errors import UsageError
from embshift.runs.targets import MARKS, check_target
from embshift.show.figures.material import Material
from embshift.show.figures.render import FORMATS, write_figure
from tests.synthetic_runs import Wanted, make_run


def _encode(suffix):
    return bytes(cv2.imencode(suffix, np.full((8, 8, 3), 90, np.uint8))[1])


OTHERS = {
    "a JPEG image": _encode(".jpg"),
    "a PNG image": _encode(".png"),
    "a TIFF image": _encode(".tif"),
    "a Parquet table": b"PAR1 and so on",
    "an archive": b"PK\x03\x04 weights",
    "a PDF document": b"%PDF-1.4\n/Creator (another program)",
    "a file with other content": struct.pack("<Q", 2) + b"{}",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A small run."""
    return make_run(tmp_path_factory.mktemp("run") / "run", Wanted(images=3, transforms=("blur", "noise")))


@pytest.mark.parametrize(("kind", "found"), list(product(MARKS, OTHERS)))
def test_another_file_is_no_target(kind, found, tmp_path):
    path = tmp_path / f"taken.{kind}"
    path.write_bytes(OTHERS[found])
    with pytest.raises(UsageError, match=f"is {found}, no .* of embshift, and is not replaced; give another"):
        check_target(path, kind=kind)


@pytest.mark.parametrize("text", ["[plan]\n", "{}", "<!doctype html>\n<title>mine</title>", "<?xml?><svg/>"])
def test_nor_is_another_text(text, tmp_path):
    for kind in MARKS:
        (tmp_path / "text").write_text(text)
        with pytest.raises(UsageError, match="is a file with other content"):
            check_target(tmp_path / "text", kind=kind)


def test_nor_is_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "folder").mkdir()
    for name, found in (("pipe", "a pipe"), ("link", "a pipe"), ("folder", "a folder")):
        with pytest.raises(UsageError, match=f"is {found}, no PNG figure"):
            check_target(tmp_path / name, kind="png")


def test_a_free_name_an_empty_file_and_a_link_to_nothing_are(tmp_path):
    (tmp_path / "empty").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("free", "empty", "link", "folder/free"):
        assert check_target(tmp_path / name, kind="html") == tmp_path / name


@pytest.mark.parametrize("sign", ["run.json", "listing.parquet", "shifts", ".lock", ".lease", ".owner"])
def test_nothing_is_put_among_the_results_even_of_a_run_without_record(sign, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / sign).touch()
    (tmp_path / "link").symlink_to(folder)
    names = ("run.json", "RUN.JSON", "plan.toml", ".lock", "images/a.png", "shifts/x.html", "views/a/o.png")
    for way, name in product((folder, tmp_path / "link", folder / "views" / ".."), names):
        with pytest.raises(UsageError, match=r"is among the results of the run .*; give another --out"):
            check_target(way / name, kind="html")
    for path in (folder / "report.html", folder / "figures" / "a.png", folder / "my.html"):
        assert check_target(path, kind="html") == path


def test_folders_named_as_those_of_a_run_may_be_anyones(tmp_path):
    for name in ("images/a.html", "views/a.html", "run.json"):
        assert check_target(tmp_path / name, kind="html") == tmp_path / name


def test_a_report_replaces_a_report_alone(run, tmp_path):
    path, photo = tmp_path / "report.html", tmp_path / "photo.jpg"
    run.report(path)
    written = path.read_bytes()
    assert run.report(path).read_bytes() == written
    photo.write_bytes(OTHERS["a JPEG image"])
    with pytest.raises(UsageError, match="is a JPEG image, no report of embshift"):
        run.report(photo)
    assert photo.read_bytes() == OTHERS["a JPEG image"]


def test_the_reports_own_place_in_the_run_is_written_anew_though_damaged(run):
    (run.folder / "report.html").write_text("cut")
    assert run.report().read_text(encoding="utf-8").endswith("</html>\n")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_figure_replaces_a_figure_of_its_format_alone(kind, run, tmp_path):
    material = Material(run=run)
    (path,) = write_figure(material, "l2_bar", folder=tmp_path, formats=(kind,))
    written = path.read_bytes()
    write_figure(material, "l2_bar", folder=tmp_path, formats=(kind,))
    assert path.read_bytes() == written
    path.write_bytes(OTHERS["a PNG image"])
    with pytest.raises(UsageError, match=rf"l2_bar\.{kind}' is a PNG image, no {kind.upper()} figure"):
        write_figure(material, "l2_bar", folder=tmp_path, formats=(kind,))
    assert path.read_bytes() == OTHERS["a PNG image"]


def test_an_image_that_is_named_as_a_further_page_stays(run, tmp_path):
    further = tmp_path / "l2_bar-2.png"
    further.write_bytes(OTHERS["a PNG image"])
    write_figure(Material(run=embshift.open_run(run.folder)), "l2_bar", folder=tmp_path)
    assert further.read_bytes() == OTHERS["a PNG image"]
