"""What ends or holds a worker costs one picture, and its row says why."""

import time
from dataclasses import replace
from functools import partial

import pytest

from embshift.engines.serving import WorkerLimits
from embshift.engines.workers import perturb_images
from tests.faults.killers import KILLS, ended_by, hanging
from tests.unit.test_workers import items

LIMITS = WorkerLimits(memory=2**31, seconds=2.0)


def among(count, chosen):
    """Items of which only the chosen one is in the sample, so that only it meets the metric."""
    return [replace(item, sampled=item.record.row == chosen) for item in items(count)]


def statuses(build, chosen):
    stream = perturb_images(among(5, chosen), build=build, workers=1, limits=LIMITS)
    return [(one.decoded.status, one.decoded.error) for one in stream]


@pytest.mark.parametrize("number", KILLS)
def test_a_signal_costs_one_picture_and_is_named(number):
    found = statuses(partial(ended_by, number), 2)
    assert [status for status, _ in found] == ["ok", "ok", "worker_died", "ok", "ok"]
    assert f"signal {number.name}" in found[2][1]


def test_a_picture_that_hangs_is_given_up_after_its_time():
    began = time.monotonic()
    found = statuses(hanging, 2)
    assert [status for status, _ in found] == ["ok", "ok", "timed_out", "ok", "ok"]
    assert "not done after 2 s (--timeout)" in found[2][1]
    assert time.monotonic() - began < 45
