"""What every transform promises: those of the registry, and those of every preset that is bundled."""

import functools
import json
import multiprocessing
import random
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from embshift.core.seeding import make_view_generator
from embshift.core.types import Transform, ViewKey
from embshift.transforms import TRANSFORMS
from embshift.transforms.build import build
from embshift.transforms.perturb import perturb, pixels_digest
from embshift.transforms.plan import TransformPlan, check_name
from embshift.transforms.presets import list_preset_names, load_preset
from tests.unit.transforms.golden_views import picture

REGISTERED = [TransformPlan(name=name, kind="registered", target=name) for name in TRANSFORMS]
PRESET = [plan for name in list_preset_names() for plan in load_preset(name).transforms]
PLANS = REGISTERED + PRESET
SIZES = [(224, 224), (64, 96), (33, 47)]

every_transform = pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.kind}-{plan.name}")


def key(plan, *, run_seed=0, image_id="a" * 32, draw=0, name=None):
    return ViewKey(run_seed=run_seed, image_id=image_id, transform=name or plan.name, draw=draw)


def view(plan, *, pixels=None, **parts):
    return perturb(picture() if pixels is None else pixels, build(plan), key=key(plan, **parts))


def digest_of(work):
    transform, view_key = work
    return pixels_digest(perturb(picture(), transform, key=view_key).pixels)


def all_work():
    return [(build(plan), key(plan)) for plan in PLANS]


@functools.cache
def draws_nothing(at):
    """Whether the result of the plan at this position cannot depend on chance."""
    plan = PLANS[at]
    if plan.kind == "albumentations":
        # What is drawn from a range of one value is no draw.
        return len({json.dumps(view(plan, draw=draw).parameters) for draw in range(10)}) == 1
    rng = make_view_generator(key(plan))
    before = rng.bit_generator.state
    build(plan)(picture(), rng=rng)
    return rng.bit_generator.state == before


@every_transform
def test_it_is_a_transform(plan):
    assert isinstance(build(plan), Transform)
    assert check_name(plan.name) == plan.name


@pytest.mark.parametrize("name", TRANSFORMS)
def test_it_states_itself(name):
    spec = TRANSFORMS[name]
    assert spec.name == name
    assert spec.family
    assert spec.summary
    assert spec.summary == spec.summary.strip().removesuffix(".")
    assert "\n" not in spec.summary
    assert spec.apply.__doc__


@every_transform
def test_the_same_key_gives_the_same_view(plan):
    one, two = view(plan), view(plan)
    assert np.array_equal(one.pixels, two.pixels)
    assert one.parameters == two.parameters


OTHERS = {
    "draw": range(1, 11),
    "image_id": [f"{at:032x}" for at in range(10)],
    "name": [f"another_{at}" for at in range(10)],
    "run_seed": range(1, 11),
}
"""Ten other keys, because some transforms draw only a side: one other key may well draw the same."""


def gives_one_view(plan, part):
    """Whether the view is the same whatever the value of one part of its key."""
    first = view(plan).pixels
    return all(np.array_equal(first, view(plan, **{part: value}).pixels) for value in OTHERS[part])


@pytest.mark.parametrize("part", OTHERS)
def test_every_part_of_the_key_changes_the_view(part):
    assert not gives_one_view(PRESET[0], part)


@every_transform
@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=[] if part == "draw" else pytest.mark.slow) for part in OTHERS]
)
def test_another_key_gives_another_view_unless_nothing_is_drawn(plan, part):
    assert gives_one_view(plan, part) == draws_nothing(PLANS.index(plan))


@every_transform
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_size_type_and_layout_are_kept_and_the_original_untouched(plan, size):
    pixels = np.ascontiguousarray(picture()[: size[0], : size[1]])
    before = pixels.copy()
    found = view(plan, pixels=pixels).pixels
    assert found.shape == (*size, 3)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    assert not np.shares_memory(found, pixels)
    assert np.array_equal(pixels, before)


@every_transform
def test_what_was_drawn_is_strict_json(plan):
    parameters = view(plan).parameters
    assert json.loads(json.dumps(parameters, allow_nan=False)) == parameters
    assert len(json.dumps(parameters)) < 4096


@every_transform
def test_no_global_generator_has_a_say(plan):
    before = np.random.get_state()[1].tolist()
    first = view(plan)
    assert np.random.get_state()[1].tolist() == before
    random.seed(2)
    np.random.seed(2)
    cv2.setRNGSeed(2)
    assert np.array_equal(view(plan).pixels, first.pixels)


def test_neither_order_nor_other_calls_change_a_pixel():
    work = all_work()
    expected = [digest_of(each) for each in work]
    order = list(range(len(work)))
    random.Random(5).shuffle(order)
    noise = np.empty((8, 8), dtype=np.float32)
    for index in order:
        cv2.randn(noise, 0, 1)
        transform, _ = work[index]
        perturb(picture(), transform, key=key(PLANS[0], draw=index + 10))
        assert digest_of(work[index]) == expected[index]


def test_threads_that_share_a_transform_change_no_pixel():
    work = all_work()
    expected = [digest_of(each) for each in work]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # or one call is over before the next thread has its turn
    try:
        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(digest_of, [each for each in work for _ in range(8)])) == [
                digest for digest in expected for _ in range(8)
            ]
    finally:
        sys.setswitchinterval(interval)


def test_a_worker_process_changes_no_pixel():
    work = all_work()
    expected = [digest_of(each) for each in work]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as workers:
        assert list(workers.map(digest_of, reversed(work))) == expected[::-1]
