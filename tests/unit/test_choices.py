"""What a plan leaves open is chosen by rules that can be told, and what is given stands."""

import dataclasses
import sys

import pytest

from embshift.measurement.plan.auto import CHOICES, Setting, choose, count_cores
from embshift.measurement.plan.plan import make_plan

CPU = Setting(device="cpu", threads=6, count=10_000, cores=12)
CUDA = dataclasses.replace(CPU, device="cuda:0")


@pytest.fixture(autouse=True)
def linux(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")


@pytest.mark.parametrize(
    ("setting", "options", "wanted"),
    [
        (CPU, {}, 32),
        (CPU, {"precision": "bfloat16"}, 32),
        (CPU, {"runtime": "openvino"}, 64),
        (CPU, {"runtime": "openvino", "precision": "bfloat16"}, 64),
        (CUDA, {}, 256),
        (CUDA, {"batch": 7}, 7),
    ],
)
def test_batch(setting, options, wanted):
    assert choose(make_plan(**options), setting)[0].batch == wanted


@pytest.mark.parametrize(("setting", "wanted"), [(CPU, 6), (CUDA, 1)])
def test_threads(setting, wanted):
    assert choose(make_plan(), setting)[0].threads == wanted


@pytest.mark.parametrize(
    ("setting", "count", "available", "wanted"),
    [
        (CPU, 10_000, 12, 8),
        (CUDA, 10_000, 12, 11),
        (CUDA, 10_000, 64, 16),
        (CPU, 10_000, 2, 1),
        (CPU, 10_000, 1, 1),
        (CPU, 64, 12, 1),
        (CPU, 65, 12, 2),
    ],
)
def test_workers(setting, count, available, wanted):
    found = choose(make_plan(), dataclasses.replace(setting, count=count, cores=available))
    assert found[0].workers == wanted


def test_cores_are_those_that_this_process_may_use():
    assert Setting(device="cpu", threads=6, count=1).cores == count_cores() >= 1


def test_without_worker_processes_there_are_none(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    plan, reasons = choose(make_plan(), CPU)
    assert plan.workers == 0
    assert "Windows" in reasons["workers"]


def test_what_holds_workers_back_outweighs_what_is_given():
    plan, reasons = choose(make_plan(workers=3), dataclasses.replace(CPU, held="a lambda"))
    assert (plan.workers, reasons["workers"]) == (0, "a lambda")


def test_limits_grow_with_images_and_views():
    small = choose(make_plan(max_pixels=1_000_000), CPU)[0]
    large = choose(make_plan(max_pixels=2_000_000), CPU)[0]
    more = choose(make_plan(draws=3), CPU)[0]
    assert large.worker_memory - small.worker_memory == pytest.approx(48 * 1e6 / 2**20, abs=1)
    assert (small.timeout, more.timeout) == (65, 74)


def test_every_choice_has_a_reason_and_what_is_given_stands():
    given = {name: 100 + place for place, name in enumerate(CHOICES)}
    plan, reasons = choose(make_plan(**given), CPU)
    assert {name: getattr(plan, name) for name in given} == given
    assert reasons == dict.fromkeys(given, "as given")
    open_plan, reasons = choose(make_plan(), CPU)
    assert set(reasons) == set(given)
    assert all(reasons.values())
    assert all(getattr(open_plan, name) is not None for name in given)
    assert open_plan.device == "cpu"
