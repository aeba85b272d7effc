"""Runs in stores, part by part: leases, single objects, copies, and which names are read at all."""

import json
import threading
import time

import obstore
import pytest
from obstore.exceptions import GenericError, PermissionDeniedError

from embshift.core import stores
from embshift.core.errors import ResumeError, RunError, StorageError, StoreError, UsageError
from embshift.core.stores import create_object, read_object, replace_object
from embshift.runs import addresses
from embshift.runs.addresses import describe_folder, name_addresses, result_path, run_path
from embshift.runs.files import write_text
from embshift.runs.lock import lock_folder, share_folder
from embshift.runs.places import file_in, holds_file, list_chunks, list_in, list_views, remove_in
from embshift.runs.remote import lease, mirror, putting
from embshift.runs.remote.putting import OtherBytesError, put_object
from embshift.runs.stored_names import is_own
from tests.faulty_store import RUN, in_memory, objects, once

CHUNK = "images/chunk-000000.parquet"
OPENED = []


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBSHIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(addresses, "_MIRRORS", {})
    monkeypatch.setattr(putting, "_PAUSES", (0, 0, 0))
    with in_memory() as faulty:
        yield faulty


def wait_until(happened):
    for _ in range(4000):
        if happened():
            return
        time.sleep(0.005)
    pytest.fail("it never happened")


def reopen():
    """Open the run as another process does."""
    addresses._MIRRORS.clear()
    return run_path(RUN)


@pytest.fixture(autouse=True)
def opened(monkeypatch):
    """Every mirror that a test opens."""
    OPENED.clear()
    real = mirror.Mirror.__init__

    def note(self, *given, **options):
        OPENED.append(self)
        real(self, *given, **options)

    monkeypatch.setattr(mirror.Mirror, "__init__", note)


def written(folder, text):
    path = folder / ".aside.tmp"
    path.write_text(text)
    return path


# One object.


def test_an_object_is_written_once_and_again_only_with_the_same_bytes(store):
    first = put_object(f"{RUN}/a", b"1")
    assert put_object(f"{RUN}/a", b"1") == first
    with pytest.raises(OtherBytesError, match="other bytes"):
        put_object(f"{RUN}/a", b"2")
    assert read_object(f"{RUN}/a") == b"1"


def test_an_object_is_replaced_only_where_nobody_else_has_done_so(store):
    first = put_object(f"{RUN}/a", b"1")
    put_object(f"{RUN}/a", b"2", before=first)
    with pytest.raises(OtherBytesError):
        put_object(f"{RUN}/a", b"3", before=first)
    assert read_object(f"{RUN}/a") == b"2"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_request_whose_answer_is_lost_is_told_by_the_bytes(store, when):
    setattr(store, when, once("put", "runs/a/a", "timed out"))
    put_object(f"{RUN}/a", b"1")
    etag = stores.stat_object(f"{RUN}/a").etag
    setattr(store, when, once("put", "runs/a/a", "timed out"))
    put_object(f"{RUN}/a", b"2", before=etag)
    assert read_object(f"{RUN}/a") == b"2"


def test_what_a_store_refuses_is_not_tried_again(store):
    def refuse(name, key):
        raise PermissionDeniedError("403 for key AKIA1234?X-Amz-Signature=5ecret")

    store.before = refuse
    with pytest.raises(StoreError, match="refuses access") as caught:
        put_object(f"{RUN}/a", b"1")
    assert store.asked["put"] == 1
    assert "5ecret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_store_that_stays_away_is_given_up(store):
    def fail(name, key):
        raise GenericError("503 for http://host/a?X-Amz-Signature=5ecret&b=1 Slow Down")

    store.before = fail
    with pytest.raises(StoreError, match="503") as caught:
        put_object(f"{RUN}/a", b"1")
    assert store.asked["put"] == 4
    assert "5ecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("Error performing PUT http://169.254.169.254/latest", "no keys were found"),
        ("NoSuchBucket", "there is no s3://bucket;"),
    ],
)
def test_keys_and_buckets_that_are_missing_are_named(store, said, wanted):
    def fail(name, key):
        raise GenericError(said)

    store.before = fail
    with pytest.raises(StoreError, match=wanted):
        put_object(f"{RUN}/a", b"1")
    assert store.asked["put"] == 1


def test_many_writers_of_one_object_leave_that_of_one(store):
    won, lost = [], []

    def write(number):
        try:
            put_object(f"{RUN}/a", bytes([number]))
            won.append(number)
        except OtherBytesError:
            lost.append(number)

    threads = [threading.Thread(target=write, args=(number % 4,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 4
    assert set(won) == {read_object(f"{RUN}/a")[0]}
    assert len(lost) == 12


# Leases.


def test_one_writer_holds_a_run_and_leaves_nothing(store):
    folder = run_path(RUN)
    with lock_folder(folder):
        content = json.loads(read_object(f"{RUN}/.lease"))
        assert content["owner"].startswith("process ")
        assert content["generation"] == 1
        with pytest.raises(ResumeError, match="is being written by process"), lock_folder(reopen()):
            pytest.fail("held twice")
        with pytest.raises(ResumeError, match="is being written by process"), share_folder(reopen()):
            pytest.fail("shared while it is held")
    assert objects(store) == {}


def test_parts_share_a_run_and_keep_others_out(store):
    with share_folder(run_path(RUN)), share_folder(reopen()):
        assert len(objects(store)) == 2
        with pytest.raises(ResumeError, match="is being written by process"), lock_folder(reopen()):
            pytest.fail("held while it is shared")
    assert objects(store) == {}


def test_of_many_writers_at_once_one_holds_the_run(store):
    held, refused, together = [], [], threading.Barrier(8)

    def write():
        together.wait()
        try:
            with lease.hold_lease(RUN):
                held.append(1)
                done.wait()
        except ResumeError:
            refused.append(1)

    done = threading.Event()
    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(held) + len(refused) == 8)
    done.set()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 7)
    assert objects(store) == {}


def test_a_lease_is_renewed(store, monkeypatch):
    monkeypatch.setattr(lease, "RENEWED", 0.005)
    with lock_folder(run_path(RUN)):
        wait_until(lambda: json.loads(read_object(f"{RUN}/.lease"))["renewed"] >= 2)


def test_a_lease_that_has_ended_is_taken_over_and_its_holder_writes_nothing_more(store, monkeypatch):
    folder = run_path(RUN)
    with lock_folder(folder):
        write_text(file_in(folder, "plan.toml"), "first")
        monkeypatch.setattr(lease, "EXPIRES", 0.02)
        time.sleep(0.05)
        with pytest.raises(ResumeError, match="could not be renewed"):
            write_text(file_in(folder, "plan.toml"), "late")
        other = reopen()
        with lock_folder(other):
            assert json.loads(read_object(f"{RUN}/.lease"))["generation"] == 2
            monkeypatch.setattr(lease, "EXPIRES", 120.0)
            write_text(file_in(other, "plan.toml"), "second")
            with pytest.raises(ResumeError, match=r"plan\.toml was changed by another process"):
                OPENED[-2].store(("plan.toml",), written(folder, "mine"))
            assert read_object(f"{RUN}/plan.toml") == b"second"


def test_a_holder_learns_that_another_has_taken_over(store, monkeypatch):
    monkeypatch.setattr(lease, "RENEWED", 0.005)
    folder = run_path(RUN)
    with lock_folder(folder):
        replace_object(f"{RUN}/.lease", json.dumps({"owner": "process 7 on node9", "id": "x"}).encode())
        wait_until(lambda: OPENED[-1].lease._lost)
        with pytest.raises(ResumeError, match="taken over by process 7 on node9"):
            write_text(file_in(folder, "run.json"), "{}")
    assert json.loads(read_object(f"{RUN}/.lease"))["id"] == "x"  # the other's stays


def test_a_renewal_whose_answer_is_lost_keeps_the_lease(store, monkeypatch):
    monkeypatch.setattr(lease, "RENEWED", 0.005)
    with lock_folder(run_path(RUN)):
        store.after = once("put", ".lease", "timed out")
        now = json.loads(read_object(f"{RUN}/.lease"))["renewed"]
        wait_until(lambda: json.loads(read_object(f"{RUN}/.lease"))["renewed"] >= now + 4)
        OPENED[-1].lease.check()
    assert objects(store) == {}


def test_the_leases_of_parts_that_have_ended_are_removed(store, monkeypatch):
    create_object(f"{RUN}/.lease-node-1-abcd", b"{}")
    with pytest.raises(ResumeError), lock_folder(run_path(RUN)):
        pytest.fail("a part may be at work")
    monkeypatch.setattr(lease, "EXPIRES", 0.02)
    time.sleep(0.05)
    with lock_folder(run_path(RUN)):
        assert set(objects(store)) == {".lease"}


def test_a_store_that_overwrites_whatever_is_there_is_refused(store):
    store.ignores_conditions = True
    with pytest.raises(StoreError, match="ignores If-None-Match"), lock_folder(run_path(RUN)):
        pytest.fail("two writers could not be kept apart")
    assert objects(store) == {}


# Names.


@pytest.mark.parametrize(
    "key",
    [
        "run.json",
        CHUNK,
        "embeddings/chunk-1000000.parquet",
        "views/a1b2/blur-0.png",
        "explain/explain.json",
        "explain/shares/chunk-000001.parquet",
    ],
)
def test_what_embshift_writes_is_read(key):
    assert is_own(tuple(key.split("/")))


@pytest.mark.parametrize(
    "key",
    [
        "../run.json",
        "images/../run.json",
        "images/other.parquet",
        "images/chunk-0000001.parquet",
        "images/chunk-000001.parquet/x",
        "views/../../a.png",
        "views/a/..png",
        "views/a/b.sh",
        "views/a/b\\..\\c.png",
        "views/a.png",
        f"views/a/{'x' * 300}.png",
        "explain/../run.json",
        "explain/run.json",
        ".bashrc",
        "lib.so",
    ],
)
def test_other_names_are_never_read(key):
    assert not is_own(tuple(key.split("/")))


def test_what_lies_beside_a_run_is_not_copied(store, tmp_path):
    for key in ("run.json", CHUNK, "views/i/blur-0.png", "views/i/evil.sh", "images/evil", "evil/run.json"):
        create_object(f"{RUN}/{key}", b"{}")
    folder = run_path(RUN)
    OPENED[-1].fetch_everything()
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"run.json", CHUNK, "views/i/blur-0.png"}


def test_a_record_of_absurd_size_is_not_copied(store, monkeypatch):
    monkeypatch.setattr(mirror, "_LARGEST", 10)
    create_object(f"{RUN}/run.json", b"x" * 11)
    with pytest.raises(RunError, match="has 11 bytes"):
        file_in(run_path(RUN), "run.json")
    assert store.asked["get"] == 0


# Copies.


def test_a_file_is_copied_once_and_again_when_it_has_changed(store):
    create_object(f"{RUN}/plan.toml", b"one")
    for _ in range(2):
        assert file_in(reopen(), "plan.toml").read_bytes() == b"one"
    assert store.asked["get"] == 1
    replace_object(f"{RUN}/plan.toml", b"two")
    assert file_in(reopen(), "plan.toml").read_bytes() == b"two"
    stores.remove_object(f"{RUN}/plan.toml")
    assert not file_in(reopen(), "plan.toml").exists()


def test_a_copy_that_was_changed_here_is_copied_again(store):
    create_object(f"{RUN}/plan.toml", b"one")
    file_in(reopen(), "plan.toml").write_bytes(b"bad")
    assert file_in(reopen(), "plan.toml").read_bytes() == b"one"


def test_an_object_that_changes_while_it_is_copied_is_copied_as_it_became(store):
    create_object(f"{RUN}/plan.toml", b"one")
    folder = run_path(RUN)
    list_in(folder, pattern="*")
    replace_object(f"{RUN}/plan.toml", b"three")
    assert file_in(folder, "plan.toml").read_bytes() == b"three"


def test_an_object_of_several_pieces(store, monkeypatch):
    monkeypatch.setattr(mirror, "_PIECE", 4)
    create_object(f"{RUN}/{CHUNK}", b"0123456789")
    assert file_in(run_path(RUN), *CHUNK.split("/")).read_bytes() == b"0123456789"
    assert store.asked["get"] == 3


def test_reading_one_chunk_fetches_those_that_follow_and_no_other_table(store):
    for number in range(4):
        create_object(f"{RUN}/shifts/chunk-{number:06d}.parquet", b"s")
        create_object(f"{RUN}/embeddings/chunk-{number:06d}.parquet", b"e")
    folder = run_path(RUN)
    file_in(folder, "shifts", "chunk-000001.parquet")
    assert sorted(path.name for path in (folder / "shifts").iterdir()) == [
        f"chunk-{number:06d}.parquet" for number in (1, 2, 3)
    ]
    assert not (folder / "embeddings").exists()
    assert store.asked["list"] == 1


def test_what_is_listed_needs_no_copy(store):
    create_object(f"{RUN}/{CHUNK}", b"s")
    create_object(f"{RUN}/views/image/blur-0.png", b"p")
    folder = run_path(RUN)
    assert [path.name for path in list_chunks(folder, "images")] == ["chunk-000000.parquet"]
    assert holds_file(folder, *CHUNK.split("/"))
    assert not holds_file(folder, "images", "chunk-000001.parquet")
    assert [path.name for path in list_views(folder)] == ["blur-0.png"]
    assert store.asked["get"] == 0


def test_a_chunk_is_written_once(store):
    folder = run_path(RUN)
    write_text(file_in(folder, *CHUNK.split("/")), "one")
    other = reopen()
    write_text(file_in(other, *CHUNK.split("/")), "one")
    with pytest.raises(ResumeError, match="written with other bytes") as caught:
        write_text(file_in(other, *CHUNK.split("/")), "two")
    assert f"{RUN}/{CHUNK}" in str(caught.value)
    assert file_in(other, *CHUNK.split("/")).read_text() == "one"
    assert objects(store) == {CHUNK: b"one"}


def test_a_removed_file_is_gone_in_both_places(store):
    folder = run_path(RUN)
    write_text(file_in(folder, *CHUNK.split("/")), "one")
    assert remove_in(folder, *CHUNK.split("/"))
    assert not remove_in(folder, *CHUNK.split("/"))
    assert objects(store) == {}
    assert list_chunks(folder, "images") == []


def test_a_writer_sees_what_was_written_before_it_began(store):
    folder = run_path(RUN)
    assert not holds_file(folder, *CHUNK.split("/"))
    create_object(f"{RUN}/{CHUNK}", b"x")
    with lock_folder(folder):
        assert holds_file(folder, *CHUNK.split("/"))


def test_drafts_stay_on_this_machine(store):
    folder = run_path(RUN)
    write_text(folder / ".listing.parquet.new.tmp", "draft")
    assert objects(store) == {}
    assert [path.name for path in list_in(folder, pattern=".*.tmp")] == [".listing.parquet.new.tmp"]


def test_a_part_keeps_no_copies(store):
    folder = run_path(RUN)
    with share_folder(folder):
        write_text(file_in(folder, *CHUNK.split("/")), "one")
        OPENED[-1].release(("images", "chunk-000000.parquet"))
        assert not (folder / CHUNK).exists()
        assert holds_file(folder, *CHUNK.split("/"))
    assert file_in(folder, *CHUNK.split("/")).read_text() == "one"


def test_a_full_disk_is_told(store, monkeypatch):
    def fail(self, path, *rest):
        raise OSError(28, "No space left on device")

    create_object(f"{RUN}/plan.toml", b"one")
    monkeypatch.setattr(mirror.Mirror, "_write_pieces", fail)
    folder = run_path(RUN)
    with pytest.raises(StorageError, match="EMBSHIFT_CACHE") as caught:
        file_in(folder, "plan.toml")
    assert f"{RUN}/plan.toml cannot be copied to {folder.parent}: No space" in name_addresses(
        str(caught.value)
    )


def test_a_cache_that_cannot_be_written_is_told(store, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EMBSHIFT_CACHE", str(tmp_path / "file"))
    with pytest.raises(UsageError, match="EMBSHIFT_CACHE"):
        run_path(RUN)


def test_a_run_is_called_by_its_address(store):
    folder = run_path(f"{RUN}/")
    assert describe_folder(folder) == RUN
    assert name_addresses(f"see {folder}/images") == f"see {RUN}/images"
    assert str(result_path(folder, "report.html")) == "a-report.html"
    assert folder.name == "a"


def test_writing_needs_few_requests(store):
    folder = run_path(RUN)
    with lock_folder(folder):
        session = dict(store.asked)
        for number in range(8):
            assert not holds_file(folder, "images", f"chunk-{number:06d}.parquet")
            write_text(file_in(folder, "images", f"chunk-{number:06d}.parquet"), "x")
    assert session == {"put": 4, "head": 2, "delete": 1, "list_with_delimiter": 1}
    assert store.asked["put"] == 4 + 8
    assert store.asked["list"] == 1
    assert store.asked["get"] == 0


def test_a_store_without_conditional_replacing_is_refused(tmp_path, monkeypatch):
    """LocalStore creates only once, but cannot compare and swap."""
    from obstore.store import LocalStore

    monkeypatch.setenv("EMBSHIFT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(addresses, "_MIRRORS", {})
    local = LocalStore(tmp_path / "bucket", mkdir=True)
    monkeypatch.setattr(stores, "_open", {"s3://bucket": local}.__getitem__)
    with pytest.raises(StoreError), lock_folder(run_path(RUN)):
        pytest.fail("it cannot be written safely")


def test_chunks_race_on_a_local_store(tmp_path, monkeypatch):
    from obstore.store import LocalStore

    local = LocalStore(tmp_path / "bucket", mkdir=True)
    monkeypatch.setattr(stores, "_open", {"s3://bucket": local}.__getitem__)
    won, lost = [], []

    def write(number):
        try:
            put_object(f"{RUN}/{CHUNK}", bytes([number]) * 100_000)
            won.append(number)
        except OtherBytesError:
            lost.append(number)

    threads = [threading.Thread(target=write, args=(number % 2,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (4, 4)
    assert set(bytes(obstore.get(local, f"runs/a/{CHUNK}").bytes())) == set(won)
