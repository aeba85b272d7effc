"""A bit that has changed is named, apart for what was measured, what it was measured from, and by what."""

import json
import os
import random
import shutil
from unittest.mock import patch

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import embshift
from embshift.core.errors import ResumeError, RunError
from embshift.measurement.verify.verdict import KINDS
from embshift.runs.record import read_record_file, write_record_file
from embshift.runs.schema import TABLES
from embshift.runs.seal import read_seal, write_sealed
from tests.faults.amounts import amount
from tests.faults.sessions import contents, measure, quickly, write_pictures
from tests.integration.command import invoke
from tests.integration.tables import assert_identical


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Pictures and a finished run of them, not to be touched."""
    folder = tmp_path_factory.mktemp("verify")
    pictures = write_pictures(folder / "pictures")
    (pictures / "broken.png").write_bytes(b"no picture")
    with quickly():
        measure(pictures, folder / "run", keep_views=2)
    return folder


@pytest.fixture
def place(original, tmp_path):
    """A copy of the run beside the pictures, which stay where the run names them."""
    shutil.copytree(original / "run", tmp_path / "run")
    return tmp_path / "run"


def verify(run, **options):
    with quickly():
        return embshift.verify_run(run, **options)


def again(original, run):
    with quickly():
        return measure(original / "pictures", run, keep_views=2)


def flip(path, at: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(bytes(data))


def kinds(verdict):
    return {fault.kind for fault in verdict.faults}


def test_a_run_as_it_was_written_is_sound(place):
    before = contents(place)
    verdict = verify(place)
    assert (verdict.sound, verdict.notes, verdict.dropped) == (True, (), None)
    assert (verdict.chunks, verdict.images, verdict.inputs) == (3, 13, 13)
    assert verdict.views == 13 * 3 - 3
    assert str(verdict).endswith("sound")
    assert verify(place, repair=True).sound
    assert contents(place) == before


def test_one_flipped_bit_of_a_chunk_is_found_dropped_and_made_again(original, place, tally):
    rng, lost = random.Random(0), []
    tables = [path for name in TABLES for path in sorted((place / name).glob("*.parquet"))]
    times = amount(full=200, quick=12)
    for number in range(times):
        path = tables[number % len(tables)]
        whole = path.read_bytes()
        flip(path, rng.randrange(len(whole)), rng.randrange(8))
        verdict = verify(place, inputs=False)
        chunk = int(path.stem.removeprefix("chunk-"))
        found = [fault for fault in verdict.faults if path.parent.name in fault.message]
        if not found or {fault.chunk for fault in verdict.faults} != {chunk}:
            lost.append(path)
        if number % 10:
            path.write_bytes(whole)
            continue
        assert verify(place, repair=True).dropped == 4
        assert not verify(place).faults
        again(original, place)
        assert_identical(original / "run", place)
        assert verify(place).sound
    tally(tried=times, lost=lost, measured="each file named; dropped and made again bit for bit")


def test_the_one_input_in_a_thousand_that_has_rotted_is_named(samples, tmp_path, tally):
    count = amount(full=1000, quick=40)
    pictures = write_pictures(tmp_path / "in", count=count)
    with quickly():
        measure(pictures, tmp_path / "run", transforms=["blur"], metrics=["cosine"])
    victim = pictures / f"{count // 3:02d}.png"
    row = sorted(path.name for path in pictures.iterdir()).index(victim.name)
    times = os.stat(victim)
    flip(victim, 200, 3)
    os.utime(victim, ns=(times.st_atime_ns, times.st_mtime_ns))
    (pictures / "07.png").unlink()
    verdict = verify(tmp_path / "run")
    (fault,) = verdict.faults
    assert fault.message.startswith(f"{victim.name} (row {row}): SHA-256 was")
    assert "so the file is damaged" in fault.message
    assert "1 image missing and not compared: 07.png" in verdict.notes
    assert not fault.repairable
    tally(tried=count, lost=[] if kinds(verdict) == {"input changed"} else kinds(verdict))


def test_an_edited_input_is_told_from_a_rotten_one(original, tmp_path):
    shutil.copytree(original / "pictures", tmp_path / "in")
    with quickly():
        measure(tmp_path / "in", tmp_path / "run")
    shutil.copyfile(tmp_path / "in" / "00.png", tmp_path / "in" / "05.png")
    (fault,) = verify(tmp_path / "run").faults
    assert "it was written since" in fault.message
    assert verify(tmp_path / "run", inputs=False).sound


@pytest.mark.parametrize(("change", "said"), [("digest", "weights"), ("preprocessing", "preprocessing")])
def test_another_encoder_is_no_other_input(place, change, said):
    changed = {"digest": "1" * 64, "preprocessing": {"mean": 1}}[change]
    with quickly(**{change: changed}):
        verdict = embshift.verify_run(place)
    (fault,) = verdict.faults
    assert fault.kind == "encoder changed"
    assert f"{said} differ from those" in fault.message


def test_an_encoder_that_cannot_be_opened_is_a_note(place):
    with patch("embshift.encoders.open.open_encoder", side_effect=RunError("not there")):
        verdict = embshift.verify_run(place)
    assert verdict.sound
    assert "the encoder cannot be opened and was not compared: not there" in verdict.notes


def rewrite(path, change) -> None:
    """A table changed and sealed again, as somebody would who knows how: only what it says can tell."""
    seal_again(path, change)
    if path.name == "listing.parquet":
        return
    images = path.parent.parent / "images" / path.name
    others = [name for name in TABLES if name != "images"]
    seals = {name: read_seal(images.parent.parent / name / path.name) for name in others}
    seal_again(images, lambda table: table, seals=json.dumps(seals))


def seal_again(path, change, **metadata) -> None:
    table = pq.read_table(path)
    kept = {k: v for k, v in (table.schema.metadata or {}).items() if k != b"seal"}
    more = {key.encode(): value for key, value in metadata.items()}
    write_sealed(path, change(table).replace_schema_metadata({**kept, **more}))


@pytest.mark.parametrize("table", [name for name in TABLES if name != "images"])
def test_a_file_of_another_writing_of_the_chunk_is_found(place, table):
    seal_again(place / table / "chunk-000001.parquet", lambda table: table)
    (fault,) = verify(place, inputs=False).faults
    assert f"chunk 1: {table} was written by another session or machine than images" in fault.message


def drop_seals(place) -> None:
    for path in (place / "images").glob("chunk-*.parquet"):
        table = pq.read_table(path)
        kept = {k: v for k, v in table.schema.metadata.items() if k not in (b"seal", b"seals")}
        write_sealed(path, table.replace_schema_metadata(kept))


def test_a_chunk_that_states_no_seals_is_found(place):
    drop_seals(place)
    messages = [fault.message for fault in verify(place, inputs=False).faults]
    assert [("images does not state the seals" in message) for message in messages] == [True] * 3


def test_a_run_of_the_earlier_schema_states_no_seals_and_is_sound(original, place):
    drop_seals(place)
    record = read_record_file(place)
    write_record_file(place, record | {"schema": 1})
    assert verify(place).sound
    again(original, place)
    assert verify(place).sound


def test_a_run_of_the_earlier_schema_is_continued_as_one(original, place):
    drop_seals(place)
    write_record_file(place, read_record_file(place) | {"schema": 1, "state": "running"})
    (place / "images" / "chunk-000002.parquet").unlink()
    again(original, place)
    assert read_record_file(place)["schema"] == 1
    assert verify(place).sound


def test_every_seal_of_it_holds_when_it_is_only_written_again(place):
    for path in place.glob("*/chunk-*.parquet"):
        rewrite(path, lambda table: table)
    assert verify(place).sound


def column(table: pa.Table, name: str, values) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))


def shifted(table, name, *, by=1):
    return column(table, name, [value + by for value in table[name].to_pylist()])


CHANGES = {
    "images: row": ("images", lambda t: shifted(t, "row"), "are not the 5 rows of the listing"),
    "images: path": ("images", lambda t: column(t, "path", ["/x"] * len(t)), "is /x in images"),
    "images: sampled": (
        "images",
        lambda t: column(t, "sampled", [not one for one in t["sampled"].to_pylist()]),
        "sampled in one alone",
    ),
    "images: fewer": ("images", lambda t: t.slice(1), "images holds 4 rows"),
    "embeddings: fewer": ("embeddings", lambda t: t.slice(1), "has 14 rows, not the 15"),
    "embeddings: order": ("embeddings", lambda t: t.take(list(range(len(t)))[::-1]), "not the 15"),
    "embeddings: status": (
        "embeddings",
        lambda t: column(t, "status", ["non_finite"] * len(t)),
        "embeddings and status disagree",
    ),
    "embeddings: infinite": (
        "embeddings",
        lambda t: column(t, "embedding", [[float("inf")] * 6] * len(t)),
        "not finite",
    ),
    "embeddings: id": ("embeddings", lambda t: column(t, "image_id", ["0" * 32] * len(t)), "image_id"),
    "shifts: id": ("shifts", lambda t: column(t, "image_id", ["0" * 32] * len(t)), "image_id"),
    "shifts: twice": ("shifts", lambda t: pa.concat_tables([t, t.slice(0, 1)]), "a value twice"),
    "shifts: fewer": ("shifts", lambda t: t.filter(pc.field("metric") != "cosine"), "lacks 10 values"),
    "shifts: one less": (
        "shifts",
        lambda t: t.filter(
            ~((pc.field("metric") == "attention_similarity") & (pc.field("transform") == "blur"))
        ),
        "values of views whose image has the metric",
    ),
    "shifts: metric": ("shifts", lambda t: column(t, "metric", ["other"] * len(t)), "not in the plan"),
    "shifts: view": ("shifts", lambda t: shifted(t, "draw"), "no embedding"),
    "attention: twice": ("attention", lambda t: pa.concat_tables([t, t]), "a map twice"),
    "attention: grid": ("attention", lambda t: shifted(t, "rows"), "do not fill their grid"),
    "no columns": ("images", lambda t: t.select(["row"]), "do not have the form that this version writes"),
    "columns": ("shifts", lambda t: t.append_column("more", pa.nulls(len(t))), "other columns"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_chunk_says_is_held_against_listing_and_plan(place, change):
    table, altered, said = CHANGES[change]
    rewrite(place / table / "chunk-000000.parquet", altered)
    verdict = verify(place, inputs=False)
    assert kinds(verdict) == {"chunk broken"}
    assert any(said in fault.message for fault in verdict.faults), verdict


def test_a_chunk_of_another_run_is_found(original, place, tmp_path):
    with quickly():
        measure(original / "pictures", tmp_path / "other", seed=1)
    shutil.copy(tmp_path / "other/shifts/chunk-000001.parquet", place / "shifts")
    (fault,) = verify(place, inputs=False).faults
    assert "made with another plan, encoder or version" in fault.message


def test_a_file_of_another_writer_and_one_that_is_gone(place):
    path = place / "shifts" / "chunk-000000.parquet"
    pq.write_table(pq.read_table(path), path)
    (place / "attention" / "chunk-000001.parquet").unlink()
    (place / "images" / "chunk-000002.parquet").unlink()
    messages = [fault.message for fault in verify(place, inputs=False).faults]
    assert "chunk 0: shifts/chunk-000000.parquet has no seal" in messages[0]
    assert "chunk 1: attention/chunk-000001.parquet is missing" in messages[1]
    assert "chunk 2 (rows 10 to 12) is missing, although run.json marks the run as finished" in messages[2]


def test_a_chunk_that_is_not_in_the_listing_is_dropped(original, place):
    for name in TABLES:
        shutil.copy(place / name / "chunk-000000.parquet", place / name / "chunk-000009.parquet")
    verdict = verify(place, repair=True)
    assert {fault.chunk for fault in verdict.faults} == {9}
    again(original, place)
    assert_identical(original / "run", place)


@pytest.mark.parametrize("how", ["cut", "swapped", "extra"])
def test_a_kept_view_is_held_against_what_was_measured(original, place, how):
    before = contents(place / "views")
    first, second = sorted((place / "views").glob("*/blur-0.png"))[:2]
    if how == "cut":
        first.write_bytes(first.read_bytes()[:-30])
    elif how == "swapped":
        shutil.copy(second, first)
    else:
        shutil.copy(second, first.with_name("more-0.png"))
    verdict = verify(place, repair=True, inputs=False)
    assert kinds(verdict) == {"view broken"}
    again(original, place)
    assert contents(place / "views") == before
    assert verify(place).sound


@pytest.mark.parametrize("key", ["images", "failed", "views", "undefined", "views_kept"])
def test_a_wrong_count_is_named_and_taken_again(original, place, key):
    record = json.loads((place / "run.json").read_text())
    record["counts"][key] += 1
    (place / "run.json").write_text(json.dumps(record))
    (fault,) = verify(place, repair=True).faults
    assert f"run.json counts {record['counts'][key]} {key}, but the folder holds" in fault.message
    again(original, place)
    assert verify(place).sound


@pytest.mark.parametrize("key", ["seed", "image_size"])
def test_a_record_that_was_changed_is_not_mended(place, key):
    record = json.loads((place / "run.json").read_text())
    record["plan"][key] = 7
    (place / "run.json").write_text(json.dumps(record))
    before = contents(place)
    verdict = verify(place, repair=True)
    (fault,) = verdict.faults
    assert "it was changed after it was written" in fault.message
    assert (fault.repairable, verdict.dropped) == (False, None)
    assert contents(place) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"schema": 1}'])
def test_a_record_that_is_none(place, text):
    (place / "run.json").write_text(text)
    verdict = verify(place)
    assert kinds(verdict) == {"record broken"}
    assert not verdict.faults[0].repairable


def test_no_run_and_a_later_one_are_wrong_use(place, tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        verify(tmp_path)
    record = json.loads((place / "run.json").read_text())
    (place / "run.json").write_text(json.dumps(record | {"schema": 99}))
    with pytest.raises(RunError, match="schema 99"):
        verify(place)


@pytest.mark.parametrize("how", ["gone", "another", "broken"])
def test_plan_toml_is_held_against_the_record_and_written_again(original, place, how):
    before, path = (place / "plan.toml").read_bytes(), place / "plan.toml"
    if how == "gone":
        path.unlink()
    else:
        path.write_text("x =" if how == "broken" else path.read_text().replace("seed = 0", "seed = 1"))
    verdict = verify(place, repair=True)
    assert "plan.toml differs from the plan in run.json" in verdict.faults[0].message
    again(original, place)
    assert path.read_bytes() == before


@pytest.mark.parametrize("how", ["gone", "flipped", "rows"])
def test_a_listing_is_made_again_where_the_sources_give_its_rows(original, place, how):
    path = place / "listing.parquet"
    if how == "gone":
        path.unlink()
    elif how == "flipped":
        flip(path, 100)
    else:
        rewrite(path, lambda table: table.slice(1))
    verdict = verify(place, repair=True)
    assert "listing.parquet" in verdict.faults[0].message
    assert not path.exists()
    again(original, place)
    assert verify(place).sound
    assert_identical(original / "run", place)


def test_and_is_refused_where_they_do_not(original, place, tmp_path):
    (place / "listing.parquet").unlink()
    pictures = write_pictures(tmp_path / "others")
    with quickly(), pytest.raises(ResumeError, match=r"listing\.parquet is missing, and the sources do not"):
        measure(pictures, place, keep_views=2)


def test_an_interrupted_run_is_sound_and_says_what_is_left(original, tmp_path):
    class Stop(Exception):
        pass

    calls = []

    def stop(self, chunk, tables):
        calls.append(chunk)
        if len(calls) >= 2:
            raise Stop
        write(self, chunk, tables)

    from embshift.runs.chunks import ParquetSink

    write = ParquetSink.write
    with patch.object(ParquetSink, "write", stop), quickly(), pytest.raises(Stop):
        measure(original / "pictures", tmp_path / "run")
    (tmp_path / "run" / "shifts" / "chunk-000002.parquet").touch()
    verdict = verify(tmp_path / "run")
    assert verdict.sound
    assert "the run is not finished; 8 of 13 images are still to be measured" in verdict.notes
    assert any("files of 1 chunk never committed" in note for note in verdict.notes)


def test_versions_that_have_moved_on_are_a_note(place):
    from embshift.measurement.session.provenance import versions

    with patch("embshift.measurement.session.resume.versions", lambda: versions() | {"pillow": "99"}):
        verdict = verify(place)
    assert verdict.sound
    assert any(note.startswith("version of pillow: ") and "99 installed" in note for note in verdict.notes)


def test_a_repair_waits_for_no_writer(place):
    from embshift.runs.lock import lock_folder

    (place / "plan.toml").unlink()
    with lock_folder(place):
        assert not verify(place).sound
        with pytest.raises(ResumeError, match="is being written by process"):
            verify(place, repair=True)


def test_the_command(place):
    with quickly():
        sound = invoke("verify", str(place))
        quiet = invoke("verify", str(place), "-q")
        flip(place / "shifts" / "chunk-000000.parquet", 50)
        broken = invoke("verify", str(place), "--folder-only")
        repaired = invoke("verify", str(place), "--repair")
    assert (sound.returncode, quiet.returncode) == (0, 0)
    assert sound.stdout == "checked 3 chunks of 13 images, 36 kept views, 13 inputs\nsound\n"
    assert quiet.stdout == "sound\n"
    assert broken.returncode == repaired.returncode == 1
    assert broken.stdout.endswith(
        "0 inputs\nnot sound: 1 x chunk broken; --repair drops what can be made again\n"
    )
    assert repaired.stdout.endswith(
        "not sound: 1 x chunk broken; 4 files dropped; embshift run makes them again\n"
    )
    assert invoke("verify", str(place / "none")).returncode == 2


def test_a_file_name_can_do_nothing_to_a_terminal(tmp_path):
    pictures = write_pictures(tmp_path / "in", count=2)
    os.rename(pictures / "01.png", pictures / "\x1b]0;x\x07.png")
    with quickly():
        measure(pictures, tmp_path / "run")
        flip(pictures / "\x1b]0;x\x07.png", 100)
        shown = invoke("verify", str(tmp_path / "run")).stdout
    assert "input changed" in shown
    assert not {"\x1b", "\x07"} & set(shown)


def test_kinds_are_those_that_are_named(place):
    flip(place / "shifts" / "chunk-000000.parquet", 50)
    assert kinds(verify(place)) <= set(KINDS)
