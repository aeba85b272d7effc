"""Time for which everything was stopped is nobody's fault: no image is lost for it."""

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from embshift.core.types import FrozenRow, ImageRecord
from embshift.measurement.engine.pauses import Pauses
from embshift.measurement.engine.pool import perturb_images
from embshift.measurement.engine.worker import WorkerLimits
from tests.unit.worker_recipes import SLEEPING, STOPPED, STOPPING, build


def items(*first):
    """Images of which the first value is given."""
    found = []
    for row, value in enumerate(first):
        content = np.full((8, 8, 3), value, np.uint8)
        record = ImageRecord(row=row, source="memory", member="", index=row, content=content)
        found.append(FrozenRow(record=record, sampled=False, chunk=0))
    return found


def statuses(rows, *, seconds):
    limits = WorkerLimits(memory=2**31, seconds=seconds)
    return [one.decoded.status for one in perturb_images(rows, build=build, workers=1, limits=limits)]


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rpartition(")")[2].split()[0] == "T"


def continue_later(told, seconds):
    """Continue the process that a file names, so many seconds after it has stopped."""
    while not (told.exists() and told.read_text() and is_stopped(told.read_text())):
        time.sleep(0.05)
    time.sleep(seconds)
    os.kill(int(told.read_text()), signal.SIGCONT)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up under /proc")
def test_an_image_whose_worker_was_stopped_is_tried_again(tmp_path, monkeypatch):
    told = tmp_path / "told"
    monkeypatch.setenv(STOPPED, str(told))
    helper = threading.Thread(target=continue_later, args=(told, 0.7))
    helper.start()
    assert statuses(items(1, STOPPING, 2), seconds=0.5) == ["ok"] * 3
    helper.join()
    assert told.exists()


def test_an_image_that_takes_too_long_is_tried_twice_and_costs_itself_alone():
    found = list(
        perturb_images(
            items(1, SLEEPING, 2), build=build, workers=1, limits=WorkerLimits(memory=2**31, seconds=0.5)
        )
    )
    assert [one.decoded.status for one in found] == ["ok", "timed_out", "ok"]
    assert "not done after 0.5 s, tried twice (--timeout)" in found[1].decoded.error


class TestPauses:
    def test_are_what_the_clock_skips(self):
        times = iter([0.0, 0.5, 1.0, 61.0, 61.5, 62.0, 162.0])
        pauses = Pauses(clock=lambda: next(times))
        assert [pauses.total() for _ in range(6)] == [0.0, 0.0, 60.0, 60.0, 60.0, 160.0]

    def test_of_a_busy_machine_are_none(self):
        times = iter([0.0, 2.0, 4.0])
        pauses = Pauses(clock=lambda: next(times))
        assert [pauses.total() for _ in range(2)] == [0.0, 0.0]


PROGRAM = """
from tests.unit.test_pauses import items, statuses
from tests.unit.worker_recipes import SLEEPING
print("begun", flush=True)
print(*statuses(items(1, SLEEPING, SLEEPING, 2), seconds=3.0))
"""


@pytest.mark.slow
def test_a_run_that_is_stopped_again_and_again_loses_nothing():
    run = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "begun\n"
    time.sleep(4)
    for _ in range(3):
        os.killpg(run.pid, signal.SIGSTOP)
        time.sleep(4)
        os.killpg(run.pid, signal.SIGCONT)
        time.sleep(0.6)
    assert run.communicate(timeout=120)[0] == "ok ok ok ok\n"
