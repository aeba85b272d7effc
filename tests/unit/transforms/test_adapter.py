import random
import warnings

import albumentations
import numpy as np
import pytest

from embshift.core.seeding import make_view_generator
from embshift.core.types import ViewKey
from embshift.transforms.albumentations.adapter import adapt_object, walk_leaves
from embshift.transforms.build import wrap
from embshift.transforms.perturb import perturb
from tests.unit.transforms.golden_views import picture

KEY = ViewKey(run_seed=3, image_id="ab" * 16, transform="tried")


def composition():
    return albumentations.Compose(
        [
            albumentations.OneOf(
                [albumentations.GaussNoise(p=1), albumentations.Sequential([albumentations.Blur(p=1)], p=1)],
                p=1,
            ),
            albumentations.HorizontalFlip(p=0.5),
        ],
        seed=1,
    )


def view(thing, *, draw=0):
    key = ViewKey(run_seed=3, image_id="ab" * 16, transform="tried", draw=draw)
    return perturb(picture(), wrap("tried", thing), key=key)


def test_the_streams_are_the_handed_ones_in_the_documented_order():
    rng = make_view_generator(KEY)
    seed = int.from_bytes(rng.bytes(16), "little")
    plain = albumentations.GaussNoise(p=1)
    plain.set_random_state(rng, random.Random(seed))
    assert np.array_equal(plain(image=picture())["image"], view(albumentations.GaussNoise(p=1)).pixels)


@pytest.mark.parametrize("thing", [albumentations.GaussNoise(p=1), composition()])
def test_the_users_object_is_never_touched(thing):
    thing(image=picture())
    before = [(leaf.random_generator, leaf.py_random, leaf.params) for leaf in walk_leaves(thing)]
    states = [
        (leaf.random_generator.bit_generator.state, leaf.py_random.getstate()) for leaf in walk_leaves(thing)
    ]
    view(thing)
    assert all(
        old is new
        for was, leaf in zip(before, walk_leaves(thing))
        for old, new in zip(was, (leaf.random_generator, leaf.py_random, leaf.params))
    )
    assert states == [
        (leaf.random_generator.bit_generator.state, leaf.py_random.getstate()) for leaf in walk_leaves(thing)
    ]


def test_what_is_kept_between_calls_has_no_random_state_and_no_draw():
    thing = composition()
    thing(image=picture())
    transform = adapt_object(thing)
    for _ in range(2):
        for leaf in walk_leaves(transform.template):
            assert (leaf.random_generator, leaf.py_random, leaf.params) == (None, None, {})
        assert (transform.template.random_generator, transform.template.py_random) == (None, None)
        transform(picture(), rng=make_view_generator(KEY))


def test_a_compositions_own_seed_has_no_say():
    other = composition()
    other.set_random_seed(99)
    for draw in range(4):
        assert np.array_equal(view(composition(), draw=draw).pixels, view(other, draw=draw).pixels)


def test_the_streams_reach_every_depth_of_a_composition():
    views = [view(composition(), draw=draw) for draw in range(16)]
    assert len({each.pixels.tobytes() for each in views}) > 10
    again = [view(composition(), draw=draw) for draw in range(16)]
    assert all(np.array_equal(one.pixels, two.pixels) for one, two in zip(views, again))
    assert [one.parameters for one in views] == [two.parameters for two in again]


def test_a_composition_says_what_it_applied_in_order():
    applied = [
        [step["transform"] for step in view(composition(), draw=draw).parameters["applied"]]
        for draw in range(16)
    ]
    assert {tuple(steps) for steps in applied} == {
        ("GaussNoise",),
        ("Blur",),
        ("GaussNoise", "HorizontalFlip"),
        ("Blur", "HorizontalFlip"),
    }


@pytest.mark.parametrize(
    "thing",
    [
        albumentations.OneOf([albumentations.Blur(p=1)], p=1),
        albumentations.SomeOf([albumentations.Blur(p=1)], n=1, p=1),
        albumentations.Sequential([albumentations.Blur(p=1)], p=1),
        albumentations.ReplayCompose([albumentations.Blur(p=1)]),
        albumentations.Compose([albumentations.Blur(p=1)], strict=True),
    ],
    ids=lambda thing: type(thing).__name__,
)
def test_every_kind_of_composition_says_what_it_applied(thing):
    assert view(thing).parameters == {
        "applied": [
            {
                "transform": "Blur",
                "parameters": {"kernel": view(thing).parameters["applied"][0]["parameters"]["kernel"]},
            }
        ]
    }
    assert not np.array_equal(view(thing).pixels, picture())


def test_a_transform_that_chance_left_out_says_so():
    assert view(albumentations.Blur(p=0)).parameters == {"applied": False}
    assert view(albumentations.HorizontalFlip(p=1)).parameters == {}


def test_a_transform_that_holds_a_lambda_can_be_used():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # albumentations advises against lambdas
        darker = albumentations.Lambda(image=lambda image, **_: image // 2, p=1)
    assert np.array_equal(view(darker).pixels, picture() // 2)


def test_the_strength_of_noise_can_be_read_from_the_view():
    noise = view(albumentations.GaussNoise(std_range=(0.1, 0.1), p=1)).parameters["noise_map"]
    assert noise["std"] == pytest.approx(25.5, rel=0.01)
