"""Faults of real Ray actors, drivers and nodes on loopback: after each, the folder is that of a local run.

Minutes in all: `make test-ray`. What needs other machines is in `tests/integration/test_ray_engine.py`.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from embshift.runs.record import read_record_file
from embshift.runs.schema import TABLES
from tests.faults.sessions import contents, write_pictures
from tests.integration.command import call, start
from tests.integration.tables import read
from tests.ray_nodes import ENVIRONMENT, start_nodes

COUNT, CHUNK = 96, 4
QUICK = ("--image-size", "32", "--metric-sample", "7", "--batch", "8", "--threads", "1", "--workers", "1")
QUICK += ("--chunk", str(CHUNK), "--max-error-rate", "1")
OPTIONS = ("--encoder", "lite", "--transform", "blur", "--transform", "noise", *QUICK)
OWN = ("--encoder", "deadly:encode", "--metric", "cosine", *QUICK)
PLAN = """
[[transform]]
name = "dark"
function = "deadly:darken"
"""


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    monkeypatch.setenv("PYTHONPATH", path)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("pictures") / "in", count=COUNT)


@pytest.fixture(scope="module")
def local(pictures):
    out = pictures.parent / "local"
    done = call("run", str(pictures), *OPTIONS, "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def nodes():
    with start_nodes(2) as found:
        yield found


def check_same(one, other):
    for name in (*TABLES, "views"):
        assert contents(one / name) == contents(other / name), name
    a, b = read_record_file(one), read_record_file(other)
    for name in ("state", "fingerprint", "counts", "failures", "files"):
        assert a[name] == b[name], name


def begin(pictures, out, *more, options=OPTIONS, chunks=3):
    """Start a run, and wait until some of its chunks are committed."""
    process = start(
        ["run", str(pictures), *options, "--engine", "ray", "--out", str(out), *more], start_new_session=True
    )
    deadline = time.monotonic() + 240
    while len(list((out / "images").glob("chunk-*.parquet"))) < chunks:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def end(process):
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return err


def list_actors(nodes) -> list[int]:
    """The actors of these nodes, and of no other cluster that runs here."""
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    found = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    parents = {int(number): int(parent) for number, parent, _ in found}

    def below(number):
        return number == nodes.process.pid or (number in parents and below(parents[number]))

    return [int(n) for n, _, words in found if words.startswith("ray::Measurer") and below(int(n))]


def list_processes(word: str) -> list[str]:
    listed = subprocess.run(["ps", "-A", "-o", "stat=,args="], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if word in line and not line.startswith("Z")]


def test_an_actor_is_killed(pictures, local, nodes, tmp_path):
    process = begin(pictures, tmp_path / "run", "--address", nodes.address)
    os.kill(list_actors(nodes)[0], signal.SIGKILL)
    told = end(process)
    assert "an actor has ended while it measured chunk" in told
    assert "Some common causes" not in told
    check_same(tmp_path / "run", local)


def test_the_driver_is_killed_and_either_engine_goes_on(pictures, local, nodes, tmp_path):
    process = begin(pictures, tmp_path / "run", "--address", nodes.address)
    process.kill()
    process.communicate()
    shutil.copytree(tmp_path / "run", tmp_path / "again")
    assert read_record_file(tmp_path / "run")["state"] == "running"
    done = call("run", str(pictures), *OPTIONS, "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    check_same(tmp_path / "run", local)
    end(begin(pictures, tmp_path / "again", "--address", nodes.address))
    check_same(tmp_path / "again", local)


def test_a_node_is_removed(pictures, local, nodes, tmp_path):
    process = begin(pictures, tmp_path / "run", "--address", nodes.address)
    nodes.remove()
    assert "an actor has ended while it measured" not in end(process)  # no image is suspected
    check_same(tmp_path / "run", local)


def test_a_second_driver_is_refused(pictures, local, nodes, tmp_path):
    process = begin(pictures, tmp_path / "run", "--address", nodes.address)
    second = call("run", str(pictures), *OPTIONS, "--engine", "ray", "--out", str(tmp_path / "run"))
    assert second.returncode == 2
    assert f"is being written by process {process.pid}" in second.stderr
    end(process)
    check_same(tmp_path / "run", local)


@pytest.fixture(scope="module")
def with_white(tmp_path_factory):
    folder = write_pictures(tmp_path_factory.mktemp("white") / "in", count=16)
    Image.fromarray(np.full((48, 60, 3), 255, np.uint8)).save(folder / "06-white.png")
    return folder


def measure_own(pictures, out, *more, deadly, monkeypatch):
    monkeypatch.setenv("DEADLY", deadly)
    plan = out.with_suffix(".toml")
    plan.write_text(PLAN)
    return call("run", str(pictures), *OWN, "--plan", str(plan), "--out", str(out), *more)


def test_an_image_whose_encoding_ends_its_actor(with_white, tmp_path, monkeypatch):
    harmless = measure_own(with_white, tmp_path / "harmless", deadly="", monkeypatch=monkeypatch)
    assert harmless.returncode == 0, harmless.stderr
    done = measure_own(
        with_white, tmp_path / "run", "--engine", "ray", deadly="encode", monkeypatch=monkeypatch
    )
    assert done.returncode == 0, done.stderr
    assert "row 6 of the listing has ended its process twice" in done.stderr
    images, others = read(tmp_path / "run", "images"), read(tmp_path / "harmless", "images")
    assert images["status"].to_pylist() == ["worker_died" if row == 6 else "ok" for row in range(17)]
    kept = [row for row in range(17) if row != 6]
    assert images.take(kept).equals(others.take(kept))
    for name in TABLES:
        one, other = (
            {path.name: path.read_bytes() for path in (tmp_path / run / name).glob("*")}
            for run in ("run", "harmless")
        )
        assert {file for file in one if one[file] != other[file]} <= {"chunk-000001.parquet"}


def test_an_image_whose_file_ends_its_actor_gives_the_row_of_the_local_engine(
    with_white, tmp_path, monkeypatch
):
    local = measure_own(with_white, tmp_path / "local", deadly="read", monkeypatch=monkeypatch)
    assert local.returncode == 0, local.stderr
    more = ("--engine", "ray", "--workers", "0")
    # The driver tries the first image itself, so the white one is not the first.
    done = measure_own(with_white, tmp_path / "run", *more, deadly="read", monkeypatch=monkeypatch)
    assert "an actor has ended while it measured chunk 1" in done.stderr
    assert "worker_died" in (read(tmp_path / "local", "images")["status"].to_pylist())
    for name in TABLES:
        assert contents(tmp_path / "run" / name) == contents(tmp_path / "local" / name), name


def test_code_that_actors_do_not_have(with_white, tmp_path, monkeypatch):
    done = measure_own(
        with_white, tmp_path / "run", "--engine", "ray", deadly="absent", monkeypatch=monkeypatch
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("deadly is installed on the driver alone") == 1
    assert "(an actor on " in done.stderr
    assert "Traceback" not in done.stderr


def test_ends_for_lack_of_memory_are_capped(pictures, local, tmp_path):
    with start_nodes(1, RAY_memory_usage_threshold="0.01") as nodes:
        more = ("--engine", "ray", "--address", nodes.address, "--out", str(tmp_path / "run"))
        done = call("run", str(pictures), *OPTIONS, *more)
    assert done.returncode == 2, done.stderr
    assert "because the memory of their machine was full; give fewer --actors" in done.stderr
    done = call("run", str(pictures), *OPTIONS, "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    check_same(tmp_path / "run", local)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_within_seconds_and_leaves_no_process(pictures, local, tmp_path, number, code):
    before = set(list_processes("ray"))
    process = begin(pictures, tmp_path / "run")
    began = time.monotonic()
    if number == signal.SIGINT:  # as a terminal does
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert time.monotonic() - began < 15
    assert "Traceback" not in err
    time.sleep(3)
    left = [line for line in list_processes("ray") if line not in before]
    assert not [line for line in left if "raylet" in line or "ray::" in line or "gcs_server" in line], left
    assert not list_processes("embshift.measurement.engine.worker import serve")
    assert not list((tmp_path / "run").rglob("*.tmp"))
    done = call("run", str(pictures), *OPTIONS, "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
    check_same(tmp_path / "run", local)
