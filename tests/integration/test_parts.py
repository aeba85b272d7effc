"""A run measured in parts is the run measured at once, byte for byte; what would change it is refused."""

import errno
import json
import shutil
import subprocess
import sys
from unittest.mock import patch

import pytest

import embshift
from embshift.core.errors import EncoderError, ResumeError, RunError, UsageError
from embshift.measurement.session.parts import Part, finish_parts, measure_one_part, read_part
from embshift.measurement.session.trust import NO_TRUST
from embshift.runs.lock import lock_folder, share_folder
from embshift.runs.record import read_record_file, write_record_file
from embshift.runs.schema import TABLES
from tests.faults.sessions import contents, quickly, write_pictures
from tests.integration.command import invoke
from tests.unit.fake_encoder import FakeEncoder

QUICK = ("--encoder", "lite", "--image-size", "16", "--transform", "blur", "--transform", "noise")
QUICK += ("--metric-sample", "7", "--batch", "4", "--workers", "0", "--quiet")


class Silent:
    def note(self, line): ...
    def begin(self, *, total, done): ...
    def advance(self, *, failed): ...
    def end(self): ...


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Pictures, one of them broken; the run of them measured at once; and one that is only prepared."""
    folder = tmp_path_factory.mktemp("parts")
    (write_pictures(folder / "in") / "broken.png").write_bytes(b"no picture")
    with quickly():
        command = ("run", str(folder / "in"), *QUICK, "--max-error-rate", "1", "--out")
        assert invoke(*command, str(folder / "run")).returncode == 0
        done = invoke(*command, str(folder / "prepared"), "--prepare")
    assert done.returncode == 0
    assert f"embshift work {folder / 'prepared'} --part 0/1" in done.stdout
    return folder


@pytest.fixture
def prepared(whole, tmp_path):
    return shutil.copytree(whole / "prepared", tmp_path / "run")


def work(run, number, count):
    with quickly():
        measure_one_part(
            run, Part(number=number, count=count), options={"workers": 0}, trust=NO_TRUST, reporter=Silent()
        )


def finish(run):
    with quickly():
        finish_parts(run, trust=NO_TRUST, reporter=Silent())


def chunk_files(run):
    return {(name, path.name): path.read_bytes() for name in TABLES for path in (run / name).glob("chunk-*")}


def test_a_prepared_run_holds_plan_and_listing_alone(whole):
    prepared = whole / "prepared"
    assert chunk_files(prepared) == {}
    assert (prepared / "listing.parquet").read_bytes() == (whole / "run" / "listing.parquet").read_bytes()
    assert read_record_file(prepared)["state"] == "running"


@pytest.mark.parametrize("count", [1, 2, 5])
def test_parts_give_the_bytes_of_the_whole(whole, prepared, count):
    for number in reversed(range(count)):
        work(prepared, number, count)
    finish(prepared)
    assert chunk_files(prepared) == chunk_files(whole / "run")
    assert len(chunk_files(prepared)) == 3 * len(TABLES)
    assert contents(prepared / "views") == contents(whole / "run" / "views")
    one, other = read_record_file(prepared), read_record_file(whole / "run")
    for name in ("state", "fingerprint", "counts", "failures", "files", "probe"):
        assert one[name] == other[name], name
    with quickly():
        assert embshift.verify_run(prepared).sound


def test_a_part_measures_its_own_chunks_and_those_once(prepared):
    work(prepared, 1, 2)
    before = chunk_files(prepared)
    assert {name for _, name in before} == {"chunk-000001.parquet"}
    times = {path: path.stat().st_mtime_ns for path in prepared.glob("*/chunk-*")}
    work(prepared, 1, 2)
    assert {path: path.stat().st_mtime_ns for path in prepared.glob("*/chunk-*")} == times


def test_a_run_is_not_finished_without_all_of_its_parts(prepared):
    work(prepared, 1, 2)
    with pytest.raises(ResumeError, match=r"2 chunks of 3 missing from .* \(0, 2\); run 'embshift work"):
        finish(prepared)
    assert read_record_file(prepared)["state"] == "running"


def test_a_run_continued_by_the_first_command_is_the_same(whole, prepared):
    work(prepared, 0, 2)
    with quickly():
        command = ("run", str(whole / "in"), *QUICK, "--max-error-rate", "1", "--out", str(prepared))
        assert invoke(*command).returncode == 0
    assert chunk_files(prepared) == chunk_files(whole / "run")


def test_the_commands(prepared):
    with quickly():
        for part in ("0/2", "1/2"):
            done = invoke("work", str(prepared), "--part", part, "--workers", "0")
            assert done.returncode == 0
            assert f"part {part}: " in done.stderr
        finished = invoke("finish", str(prepared))
    assert finished.returncode == 0
    assert "run folder:" in finished.stdout


@pytest.mark.parametrize("text", ["", "1", "1/1", "2/1", "-1/2", "0/0", "a/b", "0/2/3", "0/١"])
def test_a_part_that_is_none_is_refused(text):
    with pytest.raises(UsageError, match="expected I/N"):
        read_part(text)


def test_parts_share_the_folder_and_keep_others_out(prepared):
    alone = pytest.raises(ResumeError, match="is being written by")
    with share_folder(prepared), share_folder(prepared), alone, lock_folder(prepared):
        pass
    with (
        lock_folder(prepared),
        patch("embshift.runs.lock._TRIES", 2),
        patch("embshift.runs.lock._PAUSE", 0),
        pytest.raises(ResumeError, match="is being written by process"),
        share_folder(prepared),
    ):
        pass
    with lock_folder(prepared):
        pass


def test_parts_share_a_folder_whose_file_system_has_no_locks(prepared):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    with patch("fcntl.flock", refuse):
        shared = pytest.raises(ResumeError, match=r"parts of .* are being measured.*\.lease-")
        with share_folder(prepared), shared, lock_folder(prepared):
            pass
        with lock_folder(prepared), pytest.raises(ResumeError, match="has no locks"), share_folder(prepared):
            pass
        assert not list(prepared.glob(".lease*"))
        with lock_folder(prepared):
            pass


def test_another_process_is_kept_out_as_well(prepared):
    code = (
        "import sys; from pathlib import Path; from embshift.runs.lock import lock_folder\n"
        "with lock_folder(Path(sys.argv[1])): pass"
    )
    with share_folder(prepared):
        done = subprocess.run(
            [sys.executable, "-c", code, prepared], capture_output=True, text=True, check=False
        )
    assert "ResumeError" in done.stderr


def test_a_batch_that_does_not_fit_fails_the_part(prepared):
    class Full(FakeEncoder):
        def encode(self, views, /, *, capture):
            if len(self.batches) >= 2:  # after the probe
                raise RuntimeError("out of memory")
            return super().encode(views, capture=capture)

    part = Part(number=0, count=1)
    too_large = pytest.raises(EncoderError, match=r"a batch of 4 views.*prepare the run with --batch 2")
    with quickly(), patch("embshift.encoders.open.open_encoder", lambda *_, **__: Full()), too_large:
        measure_one_part(prepared, part, options={"workers": 0}, trust=NO_TRUST, reporter=Silent())
    assert chunk_files(prepared) == {}


def test_images_that_are_not_there_are_not_recorded_as_missing(whole, prepared, tmp_path):
    shutil.move(whole / "in", tmp_path / "elsewhere")
    try:
        with pytest.raises(RunError, match=r"cannot be read here.*mount the images under the same path"):
            work(prepared, 0, 2)
    finally:
        shutil.move(tmp_path / "elsewhere", whole / "in")
    assert chunk_files(prepared) == {}


def change(run, **fields):
    write_record_file(run, read_record_file(run) | fields)


def test_what_would_make_another_run_is_refused(prepared):
    record = read_record_file(prepared)
    change(prepared, versions=record["versions"] | {"torch": "0.0.1"})
    with pytest.raises(ResumeError, match=r"torch: 0\.0\.1 in the run"):
        work(prepared, 0, 1)
    change(prepared, versions=record["versions"], fingerprint="0" * 32)
    with pytest.raises(ResumeError, match="its fingerprint is"):
        work(prepared, 0, 1)
    change(prepared, fingerprint=record["fingerprint"], probe=record["probe"] | {"digest": "0" * 64})
    with pytest.raises(ResumeError, match="this machine's arithmetic differs"):
        work(prepared, 0, 1)
    change(prepared, probe=record["probe"], ingested={"views": "a"})
    with pytest.raises(UsageError, match="is of ingested embeddings"):
        work(prepared, 0, 1)
    assert chunk_files(prepared) == {}


def test_code_that_a_record_names_is_not_run_unasked(prepared):
    record = read_record_file(prepared)
    named = {**record["plan"]["transforms"][0], "kind": "function", "target": "os:getcwd"}
    change(prepared, plan=record["plan"] | {"transforms": [named]})
    with pytest.raises(UsageError, match=r"os:getcwd.*--allow-code"):
        work(prepared, 0, 1)


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(UsageError, match="is not a run folder that can be written"):
        work(tmp_path / "none", 0, 1)
    with pytest.raises(RunError, match="is not a run folder"):
        work(tmp_path, 0, 1)
    assert json.dumps([path.name for path in tmp_path.iterdir()]) in ("[]", '[".lock"]')
