"""Every exporter writes all or nothing, replaces its own alone, and reads nothing but the run folder."""

import errno
import os
import shutil
from dataclasses import replace

import pytest

import embshift
from embshift.core.errors import RunError, StorageError, UsageError
from embshift.show.handover import EXPORTERS
from embshift.show.handover.export import export
from tests.synthetic_runs import Wanted, make_run

WANTED = Wanted(images=6, transforms=("blur", "noise"), metrics=("cosine", "l2"))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run") / "run", WANTED)


@pytest.fixture(params=sorted(EXPORTERS))
def name(request):
    return request.param


def read(path):
    """Return what was written, by the names of the files."""
    files = [path] if path.is_file() else sorted(path.iterdir())
    return {file.name: file.read_bytes() for file in files}


def test_the_entry_says_what_is_written_and_how_to_open_it(name):
    entry = EXPORTERS[name]
    assert entry.name == name
    assert entry.summary
    assert "PATH" in entry.opened


def test_the_same_run_gives_the_same_bytes_again(name, run, tmp_path):
    place = tmp_path / "new" / "out"
    first = export(run, to=name, out=place)
    written = read(place)
    assert export(run, to=name, out=str(place)) == first
    assert read(place) == written
    assert (first.path, first.points, first.images) == (place, 6 * 3, 6)
    assert str(place) in first.opened
    assert os.listdir(place.parent) == ["out"]


def test_what_is_anothers_stays(name, run, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    for taken in ("file", "folder"):
        with pytest.raises(UsageError, match=r"is a folder; expected|is not replaced; give another"):
            export(run, to=name, out=tmp_path / taken)
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "mine.txt").read_text() == "mine"
    for own in ("shifts/out", "views/out", "run.json"):
        with pytest.raises(UsageError, match="is among the results of the run"):
            export(run, to=name, out=run.folder / own)


def test_a_full_disk_leaves_the_earlier_export(name, run, tmp_path, monkeypatch):
    place = tmp_path / "out"
    export(run, to=name, out=place)
    written, entry = read(place), EXPORTERS[name]

    def fill(points, path):
        entry.write(points, path)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(EXPORTERS._entries, name, replace(entry, write=fill))
    with pytest.raises(StorageError, match="the disk is full"):
        export(run, to=name, out=place)
    assert read(place) == written
    assert os.listdir(tmp_path) == ["out"]


def test_a_sample_is_seeded_and_told(name, run, tmp_path):
    found = [export(run, to=name, out=tmp_path / "out", images=2, seed=seed) for seed in (1, 1, 2)]
    assert {(one.images, one.points) for one in found} == {(2, 6)}
    assert [one.notes[0] for one in found] == [
        f"a sample of 2 of 6 images (seed {seed})" for seed in (1, 1, 2)
    ]


@pytest.mark.parametrize(("options", "words"), [({"images": 0}, "images is 0"), ({"seed": -1}, "seed is -1")])
def test_a_number_out_of_range_is_refused(name, options, words, run, tmp_path):
    with pytest.raises(UsageError, match=words):
        export(run, to=name, out=tmp_path / "out", **options)
    assert not os.listdir(tmp_path)


def test_a_run_without_views_metrics_or_with_a_lone_image_is_exported(name, tmp_path):
    alone = replace(WANTED, images=1, views=False, metrics=(), missing=("noise",))
    found = export(make_run(tmp_path / "run", alone), to=name, out=tmp_path / "out")
    assert found.points == 2


def test_a_run_without_embeddings_is_refused(name, tmp_path):
    empty = make_run(tmp_path / "run", replace(WANTED, images=0))
    with pytest.raises(RunError, match="holds no embedding to export"):
        export(empty, to=name, out=tmp_path / "out")


def test_no_link_below_the_run_folder_is_followed(name, tmp_path):
    run = make_run(tmp_path / "run", replace(WANTED, images=2))
    kept = next((run.folder / "views").iterdir())
    shutil.move(kept, tmp_path / "elsewhere")
    kept.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is a link, and none is followed inside a run folder"):
        embshift.export(run, to=name, out=tmp_path / "out")


def test_a_damaged_view_costs_its_image_alone(name, tmp_path):
    run = make_run(tmp_path / "run", replace(WANTED, images=2))
    next((run.folder / "views").iterdir()).joinpath("original.png").write_bytes(b"no image")
    assert export(run, to=name, out=tmp_path / "out").points == 6
