"""Names below a run folder lead to files and folders there, never through a link."""

import os

import pytest

from embshift.core.errors import RunError
from embshift.runs.files import name_aside, write_text
from embshift.runs.places import (
    file_in,
    find_misplaced,
    folder_in,
    list_chunks,
    list_in,
    list_views,
    remove_in,
)


@pytest.fixture
def run(tmp_path):
    """A folder with one file of each kind, and one outside."""
    for name in ("run/run.json", "run/shifts/chunk-000000.parquet", "run/views/a/original.png", "out/kept"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "run"


def test_files_and_folders_and_what_is_missing_are_returned(run):
    assert file_in(run, "run.json") == run / "run.json"
    assert file_in(run, "views", "a", "original.png").is_file()
    assert folder_in(run, "views", "a").is_dir()
    assert not file_in(run, "none", "below").exists()


@pytest.mark.parametrize(
    "names", [("run.json",), ("shifts", "chunk-000000.parquet"), ("views", "a", "x.png")]
)
def test_a_link_at_any_place_is_refused(run, tmp_path, names):
    for at in range(len(names)):
        place = run.joinpath(*names[: at + 1])
        if place.exists():
            place.rename(tmp_path / "moved")
        place.symlink_to(tmp_path / "out")
        with pytest.raises(RunError, match=r"is a link, and none is followed .* move the whole run folder"):
            file_in(run, *names)
        place.unlink()
        if (tmp_path / "moved").exists():
            (tmp_path / "moved").rename(place)


def test_the_run_folder_itself_may_be_linked(run, tmp_path):
    (tmp_path / "link").symlink_to(run)
    assert file_in(tmp_path / "link", "run.json").read_text() == "run/run.json"


def test_a_pipe_and_a_folder_are_no_file(run):
    os.mkfifo(run / "plan.toml")
    (run / "listing.parquet").mkdir()
    with pytest.raises(RunError, match="is a pipe; expected a file"):
        file_in(run, "plan.toml")
    with pytest.raises(RunError, match="is a folder; expected a file"):
        file_in(run, "listing.parquet")
    with pytest.raises(RunError, match="is a file; expected a folder"):
        list_in(run, "run.json", pattern="*")
    assert {path.name for path, _ in find_misplaced(run)} == {"plan.toml", "listing.parquet"}


@pytest.mark.parametrize("name", ["", ".", "..", "../out", "/etc", "a/b", "a\0b"])
def test_a_name_is_one_step_down(run, name):
    with pytest.raises(RunError, match="is no name of a file or folder in"):
        file_in(run, "views", name, "original.png")


def test_of_a_link_the_link_is_removed(run, tmp_path):
    (run / "plan.toml").symlink_to(tmp_path / "out" / "kept")
    (run / "images").symlink_to(tmp_path / "out")
    assert remove_in(run, "plan.toml")
    assert not remove_in(run, "plan.toml")
    with pytest.raises(RunError, match="is a link"):
        remove_in(run, "images", "kept")
    with pytest.raises(RunError, match="is a folder"):
        remove_in(run, "shifts")
    assert (tmp_path / "out" / "kept").read_text() == "out/kept"


def test_a_file_under_the_temporary_name_is_not_written_through(run, tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda _: "guessed")
    (run / f".plan.toml.{os.getpid()}-guessed.tmp").symlink_to(tmp_path / "out" / "kept")
    write_text(file_in(run, "plan.toml"), "new")
    assert (run / "plan.toml").read_text() == "new"
    assert (tmp_path / "out" / "kept").read_text() == "out/kept"


def test_writers_of_one_file_have_temporary_names_of_their_own(run):
    # Two machines may give their processes the same number.
    path = run / "plan.toml"
    names = {name_aside(path).name for _ in range(100)}
    assert len(names) == 100
    for name in names:
        (run / name).touch()
    assert {one.name for one in list_in(run, pattern=".*.tmp")} == names


def test_listings_hold_names_of_their_kind(run):
    for name in ("chunk-000010.parquet", "chunk-000002.parquet", "chunk-1000000.parquet", "chunk-x.parquet"):
        (run / "shifts" / name).touch()
    assert [path.name for path in list_chunks(run, "shifts")] == [
        "chunk-000000.parquet",
        "chunk-000002.parquet",
        "chunk-000010.parquet",
        "chunk-1000000.parquet",
    ]
    (run / "views" / ".DS_Store").touch()
    (run / "views" / "a" / ".original.png.7.tmp").touch()
    assert list_views(run) == [run / "views" / "a" / "original.png"]
    assert list_in(run, "none", pattern="*") == []
