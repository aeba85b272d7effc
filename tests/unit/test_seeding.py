"""A random stream is a function of its names, the same on every machine and in every process."""

import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embshift.core.seeding import make_generator, make_view_generator
from embshift.core.types import ViewKey

EXPECTED = [347, 991, 166, 659]
EXPECTED_ORDER = [2, 4, 1, 3, 0]
KEY = ViewKey(run_seed=0, image_id="0" * 32, transform="noise", draw=0)


def drawn(key):
    return make_view_generator(key).integers(2**63)


def test_the_stream_is_written_down_here():
    """A changed number would change the views of every run there is."""
    assert make_view_generator(KEY).integers(0, 1000, 4).tolist() == EXPECTED
    assert make_generator(0, "gallery").permutation(5).tolist() == EXPECTED_ORDER


def test_it_is_the_same_in_another_process_with_other_hashes():
    code = (
        "from embshift.core.seeding import *; from embshift.core.types import ViewKey;"
        f"key = ViewKey(run_seed=0, image_id='{KEY.image_id}', transform='noise');"
        "print(make_view_generator(key).integers(2**63))"
    )
    environment = {"PYTHONHASHSEED": "7", "PATH": ""}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert int(found.stdout) == drawn(KEY)


def test_every_part_of_the_key_counts():
    others = [
        replace(KEY, run_seed=1),
        replace(KEY, image_id="1" + "0" * 31),
        replace(KEY, transform="blur"),
        replace(KEY, draw=1),
    ]
    assert len({drawn(key) for key in [KEY, *others]}) == 5


@given(seeds=st.lists(st.integers(0, 2**64), unique=True, min_size=2, max_size=20))
def test_other_seeds_give_other_streams(seeds):
    assert len({drawn(replace(KEY, run_seed=seed)) for seed in seeds}) == len(seeds)


def test_parts_do_not_run_together():
    assert make_generator(1, 11).integers(2**63) != make_generator(11, 1).integers(2**63)


def test_nothing_global_is_read_or_set():
    random.seed(3)
    np.random.seed(3)
    first = drawn(KEY)
    random.seed(4)
    np.random.seed(4)
    before = random.getstate(), np.random.get_state()[1].tolist()
    assert drawn(KEY) == first
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
