"""Stopped at any point and started again: nothing lost, nothing twice, the same bits."""

import signal
import subprocess
import sys
import time

import pytest

from embshift.show.run import open_run
from tests.integration.command import call, start
from tests.integration.crops import write_crops
from tests.integration.tables import assert_identical, read

COUNT, SAMPLE = 160, 60  # chunks of 64
DRAWN = ("noise", "shift_scale_rotate", "coarse_dropout")
OPTIONS = (
    *("--encoder", "lite", "--image-size", "64", "--workers", "1", "--metric-sample", str(SAMPLE)),
    *(word for name in DRAWN for word in ("--transform", name)),
)


@pytest.fixture(scope="module")
def crops(samples, tmp_path_factory):
    return write_crops(samples, tmp_path_factory.mktemp("crops"), count=COUNT)


@pytest.fixture(scope="module")
def uninterrupted(crops, tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    result = call("run", str(crops), *OPTIONS, "--out", str(out))
    assert result.returncode == 0, result.stderr
    return out


def stop_after(chunks: int, process, out, number: int) -> int:
    """Send a signal once so many chunks are committed; returns the exit status."""
    deadline = time.monotonic() + 240
    while len(list((out / "images").glob("chunk-*.parquet"))) < chunks:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    process.communicate(timeout=30)  # also waits for workers: they hold the same stderr
    return process.returncode


@pytest.mark.slow  # test_levels stops a run in the quick suite
def test_killed_and_resumed_is_identical(crops, uninterrupted, tmp_path):
    out = tmp_path / "run"
    for chunks in (1, 2):
        process = start(["run", str(crops), *OPTIONS, "--out", str(out)])
        assert stop_after(chunks, process, out, signal.SIGKILL) == -signal.SIGKILL
    result = call("run", str(crops), *OPTIONS, "--out", str(out))
    assert result.returncode == 0, result.stderr
    assert_identical(uninterrupted, out)
    assert read(out, "images")["row"].to_pylist() == list(range(COUNT))
    assert len(open_run(out).info["sessions"]) == 1  # the killed ones could not say


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_signals_end_it_soon_and_cleanly(crops, tmp_path, number, code):
    out = tmp_path / "run"
    process = start(["run", str(crops), *OPTIONS, "--out", str(out)], start_new_session=True)
    assert stop_after(1, process, out, number) == code
    assert not list(out.rglob("*.tmp"))
    assert not living(process.pid)  # no worker is left behind


def living(group: int) -> list[str]:
    """States of a process group's members, less those that have ended and wait to be collected."""
    time.sleep(1.0)
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True)
    members = [line.split() for line in listed.stdout.splitlines()]
    return [state for found, state in members if int(found) == group and not state.startswith("Z")]


@pytest.mark.slow
def test_two_writers(crops, tmp_path):
    out = tmp_path / "run"
    first = start(["run", str(crops), *OPTIONS, "--out", str(out)])
    deadline = time.monotonic() + 60
    while not (out / "run.json").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    second = call("run", str(crops), *OPTIONS, "--out", str(out))
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert f"process {first.pid}" in second.stderr


@pytest.mark.slow
def test_the_metric_sample_limits_all_but_the_embedding_metrics(uninterrupted):
    run = open_run(uninterrupted)
    rows = {}
    for row in run.shifts().select(["row", "metric"]).to_pylist():
        rows.setdefault(row["metric"], set()).add(row["row"])
    assert {len(rows[name]) for name in ("cosine", "l2")} == {COUNT}
    sampled = {name: rows[name] for name in rows if name not in ("cosine", "l2")}
    assert {len(found) for found in sampled.values()} == {SAMPLE}
    assert len(set(map(frozenset, sampled.values()))) == 1
    assert sorted(next(iter(sampled.values()))) != list(range(SAMPLE))


LATE = """
import os, signal, sys

class Last:
    def __del__(self, kill=os.kill, process=os.getpid()):
        kill(process, {number})

sys.last = Last()  # given up when the interpreter takes its modules apart, long after the command's answer
sys.argv = ["embshift", "list", "metrics"]
from embshift.cli import program
program()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_the_answer_does_not_change_it(number):
    code = LATE.format(number=int(number))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "cosine" in done.stdout
