"""A view's random numbers are a function of seed, picture, transform and draw, and of nothing else."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embshift.core.seeding import make_generator, make_view_generator
from embshift.core.types import ViewKey
from tests.faults.amounts import amount

keys = st.builds(
    ViewKey,
    run_seed=st.integers(0, 2**63 - 1),
    image_id=st.text("0123456789abcdef", min_size=32, max_size=32),
    transform=st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=20),
    draw=st.integers(0, 1000),
)


def stream(key: ViewKey) -> bytes:
    return make_view_generator(key).bytes(32)


@given(key=keys, others=st.lists(keys, max_size=4))
@settings(max_examples=amount(full=2000, quick=100), deadline=None)
def test_it_does_not_matter_what_was_drawn_before(key, others):
    alone = stream(key)
    np.random.default_rng(0).random(9)
    for other in others:
        make_view_generator(other).random(100)
    assert stream(key) == alone


@given(one=keys, other=keys)
@settings(max_examples=amount(full=2000, quick=100), deadline=None)
def test_other_keys_have_other_streams(one, other):
    assert (stream(one) == stream(other)) == (one == other)


@given(key=keys, more=st.integers(1, 50))
@settings(max_examples=amount(full=1000, quick=50), deadline=None)
def test_every_part_counts(key, more):
    changed = [
        replace(key, run_seed=key.run_seed + more),
        replace(key, draw=key.draw + more),
        replace(key, transform=key.transform + "x"),
        replace(key, image_id=key.image_id[::-1] + "0"),
    ]
    assert stream(key) not in {stream(one) for one in changed}


@given(parts=st.lists(st.text("ab1", max_size=3), min_size=1, max_size=4))
@settings(max_examples=amount(full=2000, quick=100), deadline=None)
def test_parts_are_told_apart_from_their_joining(parts):
    joined = "".join(parts)
    if len(parts) > 1:
        assert make_generator(*parts).bytes(16) != make_generator(joined).bytes(16)
