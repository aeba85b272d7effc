"""What is written is whole or not there; one writer at a time; the listing is what it was."""

import errno
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import embshift.runs.chunks
from embshift.core.errors import ResumeError, RunError, ShiftError, UsageError
from embshift.core.types import ImageRecord
from embshift.runs.chunks import ParquetSink
from embshift.runs.files import read_json, write_aside, write_json, write_text
from embshift.runs.listing import Listing, write_listing
from embshift.runs.listing import freeze_listing as freezing
from embshift.runs.listing_changes import NamedImages, compare_listing, new_records
from embshift.runs.lock import lock_folder
from embshift.runs.places import holds_file
from embshift.runs.schema import TABLES
from embshift.runs.seal import BROKEN, SEALED, UNSEALED, check_seal, write_sealed
from embshift.runs.view_files import view_path, write_view


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


class TestWriteAside:
    @pytest.mark.parametrize("before", [None, "old"])
    @pytest.mark.parametrize(
        "error",
        [
            OSError(errno.ENOSPC, "No space left on device"),
            KeyboardInterrupt(),
            ValueError("no"),
            SystemExit(),
        ],
    )
    def test_leaves_nothing_half_written(self, tmp_path, error, before):
        path = tmp_path / "down" / "file.txt"
        if before:
            write_text(path, before)

        def write(aside):
            aside.write_text("half")
            raise error

        wanted = ShiftError if isinstance(error, OSError) else type(error)
        with pytest.raises(wanted):
            write_aside(path, write)
        assert everything(tmp_path) == (["down/file.txt"] if before else [])
        assert not before or path.read_text() == before

    def test_a_full_disk_is_said_with_the_bytes(self, tmp_path):
        def write(aside):
            aside.write_bytes(b"x" * 1234)
            raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(
            ShiftError, match=r"file cannot be written: the disk is full \(after 1,234 bytes\)"
        ):
            write_aside(tmp_path / "file", write)

    @pytest.mark.parametrize("at", ["fsync", "replace"])
    def test_a_failure_after_writing_leaves_nothing_either(self, tmp_path, monkeypatch, at):
        def fail(*_, **__):
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "fsync", fail) if at == "fsync" else monkeypatch.setattr(
            Path, "replace", fail
        )
        with pytest.raises(ShiftError, match="Input/output error"):
            write_text(tmp_path / "file", "text")
        assert everything(tmp_path) == []

    def test_a_real_limit_on_file_sizes(self, tmp_path):
        code = (
            "import resource, signal, sys; from pathlib import Path\n"
            "import pyarrow as pa, pyarrow.parquet as pq\n"
            "from embshift.runs.files import write_aside\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
            "table = pa.table({'a': list(range(100_000))})\n"
            "write_aside(Path(sys.argv[1]), lambda aside: pq.write_table(table, aside))"
        )
        command = [sys.executable, "-c", code, str(tmp_path / "file")]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "StorageError" in found.stderr
        assert "cannot be written: the disk is full" in found.stderr
        assert everything(tmp_path) == []

    def test_a_folder_that_is_a_file_is_said_as_such(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(ShiftError, match="cannot be written: "):
            write_text(tmp_path / "file" / "below", "text")


class TestJson:
    def test_names_that_are_no_text_come_back(self, tmp_path):
        content = {"path": "caf\udce9", "more": 'é\n"\\ud83d\\'}
        write_json(tmp_path / "a.json", content)
        assert read_json(tmp_path / "a.json") == content
        assert "é" in (tmp_path / "a.json").read_text(encoding="utf-8")

    def test_nan_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "a.json", {"a": float("nan")})
        assert everything(tmp_path) == []

    @given(content=st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
    @settings(max_examples=30, deadline=None)
    def test_round_trip(self, tmp_path_factory, content):
        path = tmp_path_factory.mktemp("json") / "a.json"
        write_json(path, content)
        assert read_json(path) == content


def chunk_tables():
    return {name: table.arrow(dim=4).empty_table() for name, table in TABLES.items()}


class TestParquet:
    @pytest.fixture
    def sink(self, tmp_path):
        return ParquetSink(folder=tmp_path, fingerprint="f")

    def test_the_committing_file_is_renamed_last(self, sink, monkeypatch):
        order = []

        def record(path, write):
            order.append(path.parent.name)
            write_aside(path, write)

        monkeypatch.setattr(embshift.runs.chunks, "write_aside", record)
        sink.write(3, chunk_tables())
        assert order[-1] == "images"
        assert sorted(order) == sorted(TABLES)
        assert sink.has(3)
        assert not sink.has(0)
        assert everything(sink.folder) == sorted(f"{name}/chunk-000003.parquet" for name in TABLES)

    def test_chunks_that_are_there_are_looked_for_together(self, sink, monkeypatch):
        for chunk in range(20):
            sink.write(chunk, chunk_tables())
        (sink.folder / "shifts" / "chunk-000007.parquet").unlink()
        (sink.folder / "shifts" / "chunk-000008.parquet").rename(sink.folder / "elsewhere")
        (sink.folder / "shifts" / "chunk-000008.parquet").symlink_to(sink.folder / "elsewhere")
        looked = []

        def look(folder, *names):
            looked.append(names)
            return holds_file(folder, *names)

        monkeypatch.setattr(embshift.runs.chunks, "holds_file", look)
        assert [chunk for chunk in range(20) if chunk != 8 and not sink.has(chunk)] == [7]
        with pytest.raises(RunError, match="is a link"):
            sink.has(8)
        assert len(looked) < 4 * 4

    def test_a_chunk_that_another_process_writes_meanwhile_is_found(self, sink, tmp_path):
        sink.write(0, chunk_tables())
        assert [sink.has(0), sink.has(1)] == [True, False]
        ParquetSink(folder=tmp_path, fingerprint="f").write(1, chunk_tables())
        assert sink.has(1)

    @pytest.mark.parametrize("failing", range(4))
    def test_a_write_that_fails_leaves_no_chunk(self, sink, monkeypatch, failing):
        calls = iter(range(9))

        def fail(path, table, **_):
            Path(path).write_bytes(b"half")
            if next(calls) == failing:
                raise OSError(errno.ENOSPC, "No space left on device")
            pq.write_table(table, path)

        monkeypatch.setattr(embshift.runs.chunks, "write_sealed", fail)
        with pytest.raises(ShiftError, match="the disk is full"):
            sink.write(0, chunk_tables())
        assert not sink.has(0)
        assert sink.discard_uncommitted() == failing
        assert everything(sink.folder) == []

    def test_what_an_interruption_left_is_removed_and_nothing_else(self, sink):
        sink.write(0, chunk_tables())
        kept = everything(sink.folder)
        rest = [
            "embeddings/chunk-000001.parquet",
            "shifts/chunk-000001.parquet",
            "images/.chunk-000001.parquet.77.tmp",
            "views/abc/.original.png.77.tmp",
            ".run.json.77.tmp",
        ]
        own = ["notes.txt", "shifts/.DS_Store", "shifts/mine.csv", "views/abc/original.png", "run.json"]
        for name in rest + own:
            (sink.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (sink.folder / name).touch()
        assert sink.discard_uncommitted() == len(rest)
        assert everything(sink.folder) == sorted(kept + own)

    def test_a_folder_without_tables_has_nothing_to_discard(self, sink):
        assert sink.discard_uncommitted() == 0

    def test_what_was_written_is_read_back(self, sink):
        values = {"row": [0, 1], "value": [float("nan"), 0.25], "metric": ["cosine"] * 2, "draw": [0, 0]}
        schema = TABLES["shifts"].arrow(metadata={"fingerprint": "f"})
        nothing = {name: [None, None] for name in schema.names if name not in values}
        table = pa.table({**values, **nothing}, schema=schema)
        sink.write(0, {**chunk_tables(), "shifts": table})
        found = pq.read_table(sink.folder / "shifts" / "chunk-000000.parquet")
        assert found.schema.metadata[b"fingerprint"] == b"f"
        assert check_seal(sink.folder / "shifts" / "chunk-000000.parquet") == SEALED
        assert found.schema.equals(schema, check_metadata=False)
        np.testing.assert_array_equal(found["value"].to_numpy(), [np.nan, 0.25])


class TestSeal:
    def sealed(self, folder, **columns):
        path = folder / "sealed.parquet"
        write_sealed(path, pa.table(columns or {"a": list(range(50)), "b": ["x"] * 50}))
        return path

    def test_every_bit_counts(self, tmp_path):
        path = self.sealed(tmp_path)
        assert check_seal(path) == SEALED
        data = path.read_bytes()
        for at in range(len(data)):
            changed = bytearray(data)
            changed[at] ^= 1 << at % 8
            path.write_bytes(changed)
            assert check_seal(path) in (BROKEN, UNSEALED), at

    def test_no_length_but_the_whole_passes(self, tmp_path):
        path = self.sealed(tmp_path)
        data = path.read_bytes()
        for cut in range(len(data)):
            path.write_bytes(data[:cut])
            assert check_seal(path) == BROKEN
        path.write_bytes(data + b"\0")
        assert check_seal(path) == BROKEN

    def test_a_file_of_another_writer_has_none(self, tmp_path):
        pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
        assert check_seal(tmp_path / "other.parquet") == UNSEALED

    def test_a_cell_that_looks_like_a_seal_is_none(self, tmp_path):
        entry = "\x18\x04seal\x18@" + "0" * 64
        path = self.sealed(tmp_path, a=[entry, entry + "x"], b=["a", entry])
        assert check_seal(path) == SEALED
        assert pq.read_table(path)["a"].to_pylist() == [entry, entry + "x"]

    def test_the_footer_keeps_what_the_schema_says(self, tmp_path):
        table = pa.table({"a": [1]}).replace_schema_metadata({"fingerprint": "f"})
        write_sealed(tmp_path / "a", table)
        assert pq.read_metadata(tmp_path / "a").metadata[b"fingerprint"] == b"f"

    @pytest.mark.parametrize("group", [2, 100])
    def test_a_listing_is_sealed_however_many_parts_it_has(self, tmp_path, group):
        path = tmp_path / "l"
        with patch("embshift.runs.listing.ROWS_IN_GROUP", group):
            write_listing(path, freeze(records(9), chunk=2, sample=1, seed=0))
        assert pq.read_metadata(path).num_row_groups == (5 if group == 2 else 1)
        assert check_seal(path) == SEALED
        data = bytearray(path.read_bytes())
        for at in (10, len(data) // 2, len(data) - 20):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            assert check_seal(path) != SEALED, at

    def test_the_pieces_that_a_file_is_hashed_in_do_not_matter(self, tmp_path):
        path = self.sealed(tmp_path, a=list(range(1000)))
        with patch("embshift.runs.seal.BYTES_AT_ONCE", 7):
            assert check_seal(path) == SEALED


class TestLock:
    HOLD = (
        "import sys; from pathlib import Path; from embshift.runs.lock import lock_folder\n"
        "with lock_folder(Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.readline()"
    )

    def test_a_second_writer_is_told_who_holds_it(self, tmp_path):
        with subprocess.Popen(
            [sys.executable, "-c", self.HOLD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as other:
            assert other.stdout.readline() == "held\n"
            holder = f"is being written by process {other.pid} on {socket.gethostname()}; wait for it"
            with pytest.raises(ResumeError, match=holder) as caught, lock_folder(tmp_path):
                pass
            assert caught.value.exit_code == 2
            other.communicate("\n")
        with lock_folder(tmp_path):
            pass

    @pytest.mark.parametrize(
        ("signed", "told"), [(None, "another process"), (b"process \xff7 on a", "process \ufffd7 on a")]
    )
    def test_a_holder_that_cannot_be_read_is_told_as_far_as_it_can(self, tmp_path, signed, told):
        with lock_folder(tmp_path):
            (tmp_path / ".owner").unlink()
            if signed is not None:
                (tmp_path / ".owner").write_bytes(signed)
            with (
                pytest.raises(ResumeError, match=f"is being written by {told}; wait for it"),
                lock_folder(tmp_path),
            ):
                pass

    def test_a_killed_writer_leaves_it_free(self, tmp_path):
        with subprocess.Popen(
            [sys.executable, "-c", self.HOLD, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as other:
            other.stdout.readline()
            other.kill()
        with lock_folder(tmp_path):
            assert str(os.getpid()) in (tmp_path / ".owner").read_text()
        assert not (tmp_path / ".owner").exists()

    @pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
    def test_without_locks_a_lease_takes_their_place(self, tmp_path, monkeypatch, code):
        def refuse(*_):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr("fcntl.flock", refuse)
        with lock_folder(tmp_path):
            assert (tmp_path / ".lease").exists()
            told = (
                rf"by process {os.getpid()} on .*, and its file system has no locks; .* remove .*\.lease if"
            )
            with pytest.raises(ResumeError, match=told), lock_folder(tmp_path):
                pass
        assert not (tmp_path / ".lease").exists()

    def test_another_failure_of_locking_is_said_as_it_is(self, tmp_path, monkeypatch):
        def fail(*_):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr("fcntl.flock", fail)
        with (
            pytest.raises(ShiftError, match=r"\.lock cannot be written: Input/output error"),
            lock_folder(tmp_path),
        ):
            pass

    @pytest.mark.parametrize("name", [".lock", ".lease", ".owner"])
    def test_no_link_is_followed(self, tmp_path, name):
        (tmp_path / "run").mkdir()
        (tmp_path / "other").write_text("kept")
        (tmp_path / "run" / name).symlink_to(tmp_path / "other")
        with pytest.raises(ShiftError, match="is a link"), lock_folder(tmp_path / "run"):
            pass
        assert (tmp_path / "other").read_text() == "kept"

    def test_a_place_that_cannot_be_a_folder(self, tmp_path):
        (tmp_path / "file").touch()
        for place in (tmp_path / "file", tmp_path / "file" / "below"):
            with (
                pytest.raises(UsageError, match=r"cannot be a run folder: .*; give another --out"),
                lock_folder(place),
            ):
                pass


def freeze(given, *, after=None, **options):
    given = list(given)
    return tuple(freezing(given, count=len(given), after=after, **options))


def listed(rows):
    with TemporaryDirectory() as folder:
        write_listing(Path(folder) / "listing.parquet", rows)
        return Listing(Path(folder) / "listing.parquet")  # which holds the file open


def records(count, start=0):
    return [
        ImageRecord(row=at, source="s", member=f"{at + start}.jpg", path=f"/p/{at + start}.jpg")
        for at in range(count)
    ]


class TestListing:
    def test_names_that_are_no_text_come_back(self, tmp_path):
        names = ["caf\udce9.jpg", "two\nlines.jpg", "é.jpg", "\udcff\udcfe"]
        given = [ImageRecord(row=at, source=f"s{n}", member=n, path=f"/{n}") for at, n in enumerate(names)]
        given.append(ImageRecord(row=4, source="memory", member="", index=4))
        rows = freeze(given, chunk=2, sample=3, seed=0)
        write_listing(tmp_path / "listing.parquet", rows)
        assert tuple(Listing(tmp_path / "listing.parquet")) == rows

    @given(
        count=st.integers(1, 50), sample=st.integers(0, 60), seed=st.integers(0, 5), chunk=st.integers(1, 9)
    )
    @settings(max_examples=40, deadline=None)
    def test_the_sample_has_its_size_and_follows_the_seed(self, count, sample, seed, chunk):
        rows = freeze(records(count), chunk=chunk, sample=sample, seed=seed)
        assert sum(row.sampled for row in rows) == min(sample, count)
        assert [row.chunk for row in rows] == [at // chunk for at in range(count)]
        assert [row.record.row for row in rows] == list(range(count))
        assert freeze(records(count), chunk=chunk, sample=sample, seed=seed) == rows

    def test_another_seed_takes_another_sample(self):
        taken = {
            tuple(row.sampled for row in freeze(records(40), chunk=9, sample=9, seed=s)) for s in range(5)
        }
        assert len(taken) == 5

    def test_the_sample_is_spread_over_the_listing(self):
        sampled = [
            row.record.row for row in freeze(records(1000), chunk=64, sample=100, seed=0) if row.sampled
        ]
        assert 400 < np.mean(sampled) < 600

    @given(count=st.integers(1, 20), more=st.integers(1, 20), sample=st.integers(0, 30))
    @settings(max_examples=40, deadline=None)
    def test_an_update_appends_rows_in_chunks_of_their_own(self, count, more, sample):
        before = listed(freeze(records(count), chunk=4, sample=sample, seed=0))
        after = freeze(records(more, start=count), chunk=4, sample=sample, seed=0, after=before)
        assert [row.record.row for row in after] == list(range(count, count + more))
        assert min(row.chunk for row in after) == before[-1].chunk + 1
        assert max(after.count(row) for row in after) == 1
        assert sum(row.sampled for row in (*before, *after)) == min(sample, count + more)

    def test_what_has_changed_is_told_without_reading_contents(self, tmp_path):
        for name in "abc":
            (tmp_path / name).write_text(name)
        given = [
            ImageRecord(row=i, source="s", member=n, path=str(tmp_path / n)) for i, n in enumerate("abc")
        ]
        frozen = freeze(given, chunk=2, sample=9, seed=0)
        assert next((row.size, row.mtime_ns) for row in frozen) == (1, (tmp_path / "a").stat().st_mtime_ns)
        nothing = compare_listing(frozen, lambda: given)
        assert (nothing.new.count, nothing.gone.count, nothing.changed.count) == (0, 0, 0)
        (tmp_path / "b").write_text("longer")
        new = ImageRecord(row=0, source="s", member="d", path=str(tmp_path / "d"))
        now = [new, *(replace(one, row=9) for one in given[1:])]
        change = compare_listing(frozen, lambda: now)
        assert (change.new, change.gone) == (
            NamedImages(count=1, first=("d",)),
            NamedImages(count=1, first=("a",)),
        )
        assert change.changed == NamedImages(count=1, first=("b",))
        assert list(new_records(frozen, lambda: now)) == [new]

    def test_a_file_that_cannot_be_asked_is_still_listed(self):
        odd = [
            ImageRecord(row=0, source="s", member="a", path="/no/such"),
            ImageRecord(row=1, source="s", member="b", path="/a\0b"),
        ]
        assert [(row.size, row.mtime_ns) for row in freeze(odd, chunk=2, sample=1, seed=0)] == [(-1, -1)] * 2

    @given(count=st.integers(0, 40), group=st.integers(1, 9))
    @settings(max_examples=30, deadline=None)
    def test_it_is_read_in_pieces_and_in_any_order(self, count, group):
        rows = freeze(records(count), chunk=3, sample=5, seed=0)
        with patch("embshift.runs.listing.ROWS_IN_GROUP", group):
            found = listed(rows)
        assert (tuple(found), len(found), found.sampled) == (rows, count, min(5, count))
        assert [found[at] for at in reversed(range(count))] == list(reversed(rows))
        assert found[1:7:2] == list(rows[1:7:2])
        assert found.chunks == Counter(row.chunk for row in rows)
        assert not found.in_memory
        with pytest.raises(IndexError):
            found[count]

    def test_content_from_memory_is_handed_over_again(self):
        held = ImageRecord(row=1, source="memory", member="", index=1, content=np.zeros((2, 2), np.uint8))
        with TemporaryDirectory() as folder:
            path = Path(folder) / "l"
            write_listing(path, freeze([*records(1), held], chunk=2, sample=1, seed=0))
            found = Listing(path, content={1: held})
            assert found.in_memory
            assert found[1].record.content is held.content
            assert found[0].record.content is None

    @given(
        before=st.sets(st.integers(0, 30)),
        now=st.sets(st.integers(0, 30)),
        shuffled=st.booleans(),
        kind=st.sampled_from([tuple, list]),
    )
    @settings(max_examples=60, deadline=None)
    def test_side_by_side_or_looked_up_they_are_the_same(self, before, now, shuffled, kind):
        frozen = freeze(map(numbered, sorted(before)), chunk=4, sample=3, seed=0)
        there = kind(numbered(at) for at in sorted(now, reverse=shuffled))
        change = compare_listing(frozen, lambda: there)
        counts = [change.new.count, change.gone.count, change.changed.count]
        assert counts == [len(now - before), len(before - now), 0]
        found = list(new_records(frozen, lambda: there))
        assert [one.member for one in found] == [one.member for one in there if one.index not in before]

    def test_of_very_many_a_sample_is_drawn_without_ordering_them(self):
        with patch("embshift.core.seeding.PERMUTE_UP_TO", 10):
            taken = [row for row in freeze(records(1000), chunk=64, sample=100, seed=0) if row.sampled]
            assert len(taken) == 100
            assert 400 < np.mean([row.record.row for row in taken]) < 600


def numbered(at):
    return ImageRecord(row=0, source="s", member=f"{at}.jpg", index=at, path=f"/p/{at:02d}.jpg")


class TestViews:
    def test_paths(self, tmp_path):
        path = view_path(tmp_path, image_id="ab", transform="noise", draw=2)
        assert str(path.relative_to(tmp_path)) == "views/ab/noise-2.png"
        assert view_path(tmp_path, image_id="ab", transform="original", draw=0).name == "original.png"

    def test_pixels_come_back_exactly(self, tmp_path):
        from PIL import Image

        pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
        write_view(tmp_path / "views" / "a.png", pixels)
        with Image.open(tmp_path / "views" / "a.png") as found:
            np.testing.assert_array_equal(np.asarray(found), pixels)


def test_json_is_for_people_too(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    assert (tmp_path / "a.json").read_text() == '{\n  "a": 1\n}\n'
    assert json.loads((tmp_path / "a.json").read_bytes()) == {"a": 1}
