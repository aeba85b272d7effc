"""Pictures through processes: in order, the same for any number, and a deadly one costs itself alone."""

import os
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from embshift.core.errors import UsageError
from embshift.core.types import FrozenRow, ImageRecord
from embshift.measurement.engine.pool import perturb_images
from tests.unit.worker_recipes import DEADLY, LINGERING, build, build_in


def items(count, *, deadly=()):
    rng = np.random.default_rng(0)
    found = []
    for row in range(count):
        pixels = rng.integers(0, 250, (8, 8, 3), dtype=np.uint8)
        if row in deadly:
            pixels[0, 0, 0] = DEADLY
        record = ImageRecord(row=row, source="memory", member="", index=row, content=pixels)
        found.append(FrozenRow(record=record, sampled=False, chunk=0))
    return found


def kept(stream):
    """What is lent, copied."""
    return [replace(one, pixels=None if one.pixels is None else one.pixels.copy()) for one in stream]


@pytest.fixture(scope="module")
def here():
    """The results of this process."""
    return list(perturb_images(items(12), build=build, workers=0))


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_equal_results_in_order(here, workers):
    before = dict(os.environ)
    found = kept(perturb_images(items(12), build=build, workers=workers))
    assert [one.listed.record.row for one in found] == list(range(12))
    assert [one.attempts for one in found] == [one.attempts for one in here]
    for one, other in zip(found, here):
        np.testing.assert_array_equal(one.pixels, other.pixels)
    assert dict(os.environ) == before


@pytest.mark.parametrize(("workers", "deadly"), [(1, {0}), pytest.param(2, {3, 11}, marks=pytest.mark.slow)])
def test_a_deadly_picture_costs_itself_alone(here, workers, deadly):
    found = kept(perturb_images(items(12, deadly=deadly), build=build, workers=workers))
    assert [one.listed.record.row for one in found] == list(range(12))
    assert {one.listed.record.row for one in found if one.decoded.status == "worker_died"} == deadly
    for one, other in zip(found, here):
        if one.listed.record.row in deadly:
            assert (one.pixels, one.attempts) == (None, ())
            assert "it ended its worker process twice (exit code 7)" in one.decoded.error
        else:
            assert (one.decoded.status, one.attempts) == ("ok", other.attempts)


def test_a_worker_that_has_ended_is_noticed_though_its_pipe_is_held_open():
    given = items(2)
    given[0].record.content[0, 0, 0] = LINGERING
    # What holds the pipes stays for longer than a test may take.
    found = kept(perturb_images(given, build=build, workers=1))
    assert [one.decoded.status for one in found] == ["worker_died", "ok"]


def test_workers_that_cannot_start_blame_no_picture(capfd):
    with pytest.raises(UsageError, match=r"worker processes cannot start .*; use --workers 0 to measure"):
        list(perturb_images(items(3), build=partial(build_in, os.getpid()), workers=1))
    assert "no module of that name" in capfd.readouterr().err


def test_nothing_to_do_starts_nothing():
    assert list(perturb_images([], build=partial(build_in, 0), workers=2)) == []


def test_items_are_taken_as_they_are_needed():
    taken = []

    def listing():
        for item in items(200):
            taken.append(item)
            yield item

    stream = perturb_images(listing(), build=build, workers=1)
    next(stream)
    assert len(taken) < 12
    stream.close()
