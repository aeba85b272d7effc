"""The targets accept their seeds and a few hundred mutations; the fuzzer itself is started by hand."""

import random
from pathlib import Path

import pytest

from tests.faults.amounts import amount
from tests.faults.mutations import mutate
from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def seeds(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize("name", TARGETS)
def test_there_are_seeds_and_each_passes(name):
    assert len(seeds(name)) > 2
    for data in seeds(name):
        TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_changed_seeds_pass(name):
    rng, known = random.Random(2), seeds(name)
    for _ in range(amount(full=5000, quick=150)):
        TARGETS[name](mutate(rng.choice(known), rng))
