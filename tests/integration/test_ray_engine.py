"""The engine for Ray without Ray: the bytes of a local run, whatever happens to actors.

Real actors, nodes and kills: `tests/integration/test_ray.py` and `make test-ray`.
"""

import shutil
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from PIL import Image

from embshift.core.errors import (
    EncoderError,
    MissingExtraError,
    ResumeError,
    RunError,
    UnknownNameError,
    UsageError,
)
from embshift.measurement.cluster.actor import Measurer, Order
from embshift.measurement.cluster.items import Item
from embshift.runs.chunks import ParquetSink
from embshift.runs.lock import lock_folder, share_folder
from embshift.runs.record import read_record_file
from embshift.runs.schema import TABLES
from tests.faults.sessions import contents, measure, quickly, write_pictures
from tests.integration.command import invoke
from tests.integration.tables import read
from tests.unit.cluster.fake_ray import (
    DIED,
    ActorDiedError,
    ActorUnavailableError,
    FakeRay,
    NodeDiedError,
    OutOfMemoryError,
)
from tests.unit.fake_encoder import FakeEncoder

LOOSE = {"max_error_rate": 1.0, "keep_views": 3}


@contextmanager
def in_ray(fake):
    @contextmanager
    def join(address):
        yield fake

    with (
        quickly(),
        patch("embshift.measurement.cluster.engine.join_cluster", join),
        patch("embshift.measurement.cluster.choice.find_spec", lambda name: name),
        patch("embshift.runs.lock._TRIES", 2),
        patch("embshift.measurement.cluster.hand_out.time.monotonic", iter(range(0, 10**6, 100)).__next__),
    ):
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Pictures, one of them broken, and the run of them by the local engine."""
    folder = tmp_path_factory.mktemp("ray")
    (write_pictures(folder / "in") / "broken.png").write_bytes(b"no picture")
    with quickly():
        measure(folder / "in", folder / "run", **LOOSE)
    return folder


def chunk_files(run):
    return {(name, path.name): path.read_bytes() for name in TABLES for path in (run / name).glob("chunk-*")}


def check_same(one, other):
    assert chunk_files(one) == chunk_files(other)
    assert contents(one / "views") == contents(other / "views")
    assert (one / "listing.parquet").read_bytes() == (other / "listing.parquet").read_bytes()
    a, b = read_record_file(one), read_record_file(other)
    for name in ("state", "fingerprint", "counts", "failures", "files", "probe", "plan"):
        assert a[name] == b[name], name


def test_the_bytes_are_those_of_the_local_engine(whole, tmp_path):
    fake = FakeRay()
    with in_ray(fake):
        measure(whole / "in", tmp_path / "run", engine="ray", actors=2, threads=1, **LOOSE)
        measure(whole / "in", tmp_path / "local", threads=1, **LOOSE)
    check_same(tmp_path / "run", tmp_path / "local")
    assert fake.options_ == {
        "num_cpus": 1,
        "num_gpus": 0.0,
        "max_restarts": 0,
        "max_task_retries": 0,
        "max_concurrency": 1,
    }
    assert len(fake.killed) == 2


def test_what_an_ended_actor_had_half_written_is_removed(whole, tmp_path):
    class Half(FakeRay):
        def _measure(self, held, item):
            (tmp_path / "run" / "images").mkdir(exist_ok=True)
            (tmp_path / "run" / "images" / ".chunk-000001.parquet.7-0b7b8411.tmp").write_bytes(b"")
            return super()._measure(held, item)

    with in_ray(Half()):
        measure(whole / "in", tmp_path / "run", engine="ray", **LOOSE)
    check_same(tmp_path / "run", whole / "run")
    assert not list((tmp_path / "run").rglob("*.tmp"))


FATES = {
    "actor": {0: ActorDiedError(DIED)},
    "the same chunk twice": {0: ActorDiedError(DIED), 1: ActorDiedError(DIED)},
    "node": {1: NodeDiedError("gone"), 2: ActorDiedError("The actor died because its node has died.")},
    "away": {0: ActorUnavailableError("the actor is restarting")},
    "memory": {2: OutOfMemoryError("killed"), 1: ActorDiedError("…due to the node running low on memory.")},
}


@pytest.mark.parametrize(
    "fates",
    [
        pytest.param(fates, id=name, marks=[pytest.mark.slow] * (name == "the same chunk twice"))
        for name, fates in FATES.items()
    ],
)
def test_a_lost_actor_changes_no_byte(whole, tmp_path, fates):
    with in_ray(FakeRay(fates=dict(fates))):
        measure(whole / "in", tmp_path / "run", engine="ray", actors=1, **LOOSE)
    check_same(tmp_path / "run", whole / "run")


def test_a_run_that_ray_began_is_ended_by_the_local_engine_and_the_other_way_round(whole, tmp_path):
    end = {number: KeyboardInterrupt() for number in (1, 2)}
    with in_ray(FakeRay(fates=end)), pytest.raises(KeyboardInterrupt):
        measure(whole / "in", tmp_path / "run", engine="ray", **LOOSE)
    assert len(chunk_files(tmp_path / "run")) == len(TABLES)
    shutil.copytree(tmp_path / "run", tmp_path / "again")
    with quickly():
        measure(whole / "in", tmp_path / "run", **LOOSE)
    with in_ray(FakeRay()):
        measure(whole / "in", tmp_path / "again", engine="ray", **LOOSE)
    check_same(tmp_path / "run", whole / "run")
    check_same(tmp_path / "again", whole / "run")


def test_a_second_driver_is_refused_and_so_is_a_part(whole, tmp_path):
    found = []

    class Second(FakeRay):
        def _measure(self, held, item):
            for refused in (lock_folder, share_folder):
                with (
                    pytest.raises(ResumeError, match="is being written by process"),
                    refused(tmp_path / "run"),
                ):
                    pass
            found.append(item)
            return super()._measure(held, item)

    with in_ray(Second()):
        measure(whole / "in", tmp_path / "run", engine="ray", **LOOSE)
    assert found


def prepared(whole, folder):
    """A run whose driver is about to hand out chunks."""
    with in_ray(FakeRay(fates={0: KeyboardInterrupt()})), pytest.raises(KeyboardInterrupt):
        measure(whole / "in", folder, engine="ray", **LOOSE)
    assert chunk_files(folder) == {}
    return folder


def open_actor(run, **own):
    options = {"workers": 0, "worker_memory": None, "timeout": None, **own}
    return Measurer(Order(folder=str(run), own=options, path=["/none", ""]))


def test_an_actor_answers_with_small_dictionaries_and_measures_a_chunk_once(whole, tmp_path):
    run = prepared(whole, tmp_path / "run")
    with quickly():
        actor = open_actor(run)
        assert set(actor.open()) == {"process"}
        last = Item(chunk=2, first=10, count=3)
        assert actor.measure(last) == {"images": 3, "failed": 1, "float32": 0}
        before = chunk_files(run)
        assert {name for _, name in before} == {"chunk-000002.parquet"}
        with patch.object(ParquetSink, "write", side_effect=AssertionError):
            assert actor.measure(last) == {"images": 3, "failed": 0, "float32": 0}
        assert actor.measure(Item(chunk=0, first=0, count=2, trial=True)) == {}
    assert chunk_files(run) == before == {k: v for k, v in chunk_files(whole / "run").items() if k in before}


def test_rows_that_end_their_process_are_recorded_and_the_others_are_as_ever(whole, tmp_path):
    run = prepared(whole, tmp_path / "run")
    with quickly():
        open_actor(run).measure(Item(chunk=0, first=0, count=5, deadly=(0, 3)))
    images, others = read(run, "images"), read(whole / "run", "images").slice(0, 5)
    assert images["status"].to_pylist() == ["worker_died", "ok", "ok", "worker_died", "ok"]
    assert "ended the process that encodes it twice" in images["error"][0].as_py()
    kept = [1, 2, 4]
    assert images.take(kept).equals(others.take(kept))


def test_a_file_that_ends_its_process_gives_the_row_of_the_local_engine(whole, tmp_path):
    """Isolated, views are made by a worker although the run has none."""
    run = prepared(whole, tmp_path / "run")
    asked = []

    def pool(rows, *, workers, **options):
        asked.append(workers)
        return iter(())

    with quickly(), patch("embshift.measurement.engine.local.perturb_images", pool):
        open_actor(run).measure(Item(chunk=0, first=0, count=5, isolated=True, trial=True))
        open_actor(run, workers=0).measure(Item(chunk=0, first=0, count=5, trial=True))
    assert asked == [1, 0]


def test_an_encoder_that_cannot_be_opened_is_told_once_in_its_own_words(whole, tmp_path):
    def refuse(*_, **__):
        raise EncoderError("the weights of lite are not here")

    class Elsewhere(FakeRay):
        def get(self, call):
            with patch("embshift.encoders.open.open_encoder", refuse):
                return super().get(call)

    text = r"^the weights of lite are not here \(an actor on .+\)$"
    with in_ray(Elsewhere()), pytest.raises(EncoderError, match=text):
        measure(whole / "in", tmp_path / "run", engine="ray", **LOOSE)
    assert chunk_files(tmp_path / "run") == {}


def test_images_that_are_not_on_a_node_are_not_recorded_as_missing(whole, tmp_path):
    run = prepared(whole, tmp_path / "run")
    shutil.move(whole / "in", tmp_path / "elsewhere")
    try:
        with quickly():
            answer = open_actor(run).measure(Item(chunk=0, first=0, count=5))
    finally:
        shutil.move(tmp_path / "elsewhere", whole / "in")
    assert answer["kind"] == RunError.__name__
    assert "00.png and the rest of chunk 0 cannot be read here" in answer["error"]
    assert chunk_files(run) == {}


def test_a_batch_that_does_not_fit_is_an_answer(whole, tmp_path):
    class Full(FakeEncoder):
        def encode(self, views, /, *, capture):
            if len(self.batches) >= 2:  # after the probe
                raise RuntimeError("out of memory")
            return super().encode(views, capture=capture)

    run = prepared(whole, tmp_path / "run")
    with quickly(), patch("embshift.encoders.open.open_encoder", lambda *_, **__: Full()):
        answer = open_actor(run).measure(Item(chunk=0, first=0, count=5))
    assert answer["kind"] == EncoderError.__name__
    assert "prepare the run with --batch 2" in answer["error"]


def test_a_defect_of_an_actor_is_raised_with_its_traceback(whole, tmp_path):
    with (
        in_ray(FakeRay()),
        patch("embshift.measurement.session.work.measure_chunks", side_effect=ZeroDivisionError("by none")),
        pytest.raises(RuntimeError, match="ZeroDivisionError: by none"),
    ):
        measure(whole / "in", tmp_path / "run", engine="ray", **LOOSE)


@pytest.mark.parametrize(
    ("nodes", "options", "share", "count"),
    [
        ([{"CPU": 2.0}], {"threads": 1}, 0.0, 2),
        ([{"CPU": 2.0}], {"threads": 2}, 0.0, 1),
        ([{"CPU": 3.0}, {"CPU": 1.0}, {}], {"threads": 1}, 0.0, 3),  # no more than chunks
        ([{"CPU": 8.0, "GPU": 1.0}, {"CPU": 8.0}], {"threads": 1, "gpus_per_actor": 0.5}, 0.5, 2),
        ([{"CPU": 8.0, "GPU": 2.0}], {"threads": 1, "gpus_per_actor": 2}, 2.0, 1),
        ([{"CPU": 1.0}], {"threads": 1, "actors": 3}, 0.0, 3),
    ],
)
def test_as_many_actors_as_there_is_room_for(whole, tmp_path, nodes, options, share, count):
    fake = FakeRay(nodes_=nodes)
    with in_ray(fake):
        measure(whole / "in", tmp_path / "run", engine="ray", **LOOSE | options)
    assert len(fake.killed) == count
    assert fake.options_["num_gpus"] == share


def test_no_room_at_all_is_an_error(whole, tmp_path):
    text = r"no machine of the Ray cluster has 4 CPUs for an actor; give fewer --threads"
    with in_ray(FakeRay()), pytest.raises(UsageError, match=text):
        measure(whole / "in", tmp_path / "run", engine="ray", threads=4, **LOOSE)


def test_what_other_processes_cannot_make_is_refused(whole, tmp_path):
    with in_ray(FakeRay()):
        with pytest.raises(UsageError, match=r"transform mine exists in this one alone"):
            measure(whole / "in", tmp_path / "a", engine="ray", transforms={"mine": lambda pixels: pixels})
        with pytest.raises(UsageError, match=r"the encoder exists in this one alone"):
            measure(whole / "in", tmp_path / "b", engine="ray", encoder=FakeEncoder())
        with pytest.raises(UsageError, match=r"images in memory cannot be measured by other processes"):
            measure([Image.new("RGB", (30, 30))], tmp_path / "c", engine="ray")


def test_wrong_options(whole, tmp_path):
    out = ("run", str(whole / "in"), "--encoder", "lite", "--out", str(tmp_path / "run"))
    for given, text in (
        (("--actors", "2"), "--actors needs --engine ray"),
        (("--address", "auto", "--gpus-per-actor", "1"), "--address, --gpus-per-actor needs --engine ray"),
        (("--engine", "ray", "--actors", "0"), "actors is 0; expected 1 or more"),
        (("--engine", "ray", "--gpus-per-actor", "1.5"), "gpus_per_actor is 1.5; expected a fraction"),
        (("--engine", "ray", "--address", "ray://head:10001"), "expected 'auto' or host:port"),
        (("--engine", "rya"), "unknown engine 'rya'; did you mean 'ray'?"),
    ):
        done = invoke(*out, *given)
        assert (done.returncode, text in done.stderr) == (2, True), done.stderr
    with patch("embshift.measurement.cluster.choice.find_spec", lambda name: name):
        done = invoke(*out, "--engine", "ray", "--prepare")
        assert "--prepare measures nothing" in done.stderr
    assert not (tmp_path / "run").exists()


def test_without_ray_the_extra_is_named(whole, tmp_path):
    missing = pytest.raises(MissingExtraError, match=r"pip install 'embshift\[ray\]'")
    with patch("embshift.measurement.cluster.choice.find_spec", lambda name: None), missing:
        measure(whole / "in", tmp_path / "run", engine="ray")
    with pytest.raises(UnknownNameError):
        measure(whole / "in", tmp_path / "run", engine="dask")
