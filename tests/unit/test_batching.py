"""Batches that are encoded while the next is filled: as on a GPU, which the CPU stands for here."""

from dataclasses import replace
from functools import partial
from unittest.mock import patch

import numpy as np
import pytest
import torch

from embshift.core.errors import EncoderError
from embshift.core.types import Capture
from embshift.measurement.pipeline.batches import Batches, Mishaps
from tests.unit.fake_encoder import POISON, FakeEncoder

OPTIONS = {"capture": Capture.EMBEDDING | Capture.ATTENTION, "open_float32": None}


class Elsewhere(FakeEncoder):
    """On another device by its own account; what it gives is there once it was waited for."""

    def __init__(self, **options):
        super().__init__(**options)
        self.waits = []

    @property
    def spec(self):
        return replace(super().spec, device="cuda:0")

    def encode(self, views, /, *, capture):
        return super().encode(views.numpy(), capture=capture)

    def marked(self, device):
        number = len(self.waits)
        self.waits.append(False)

        def wait():
            self.waits[number] = True

        return wait


def pictures(*counts):
    rng = np.random.default_rng(0)
    return [torch.as_tensor(rng.integers(0, 200, (count, 8, 8, 3), dtype=np.uint8)) for count in counts]


def through(encoder, views, *, size, **options):
    """What each picture brought back, and what was left at the end."""
    batches = Batches(encoder, size=size, **OPTIONS | {"mishaps": Mishaps()} | options)
    with patch(
        "embshift.measurement.pipeline.batches.record_event",
        getattr(encoder, "marked", lambda device: lambda: None),
    ):
        found = [batches.add(each, sampled=True) for each in views]
        return [*found, batches.finish()]


def rows(found):
    return torch.cat([part.embedding for parts in found for part in parts])


def test_one_batch_is_under_way_while_the_next_is_filled():
    encoder = Elsewhere()
    found = through(encoder, pictures(3, 3, 3), size=3)
    assert [len(parts) for parts in found] == [0, 1, 1, 1]
    assert encoder.waits == [True] * 3


@pytest.mark.parametrize("size", [1, 3, 4, 10, 20])
def test_the_order_and_the_values_are_those_of_one_at_a_time(size):
    views = pictures(5, 2, 7, 1)
    found = through(Elsewhere(), views, size=size)
    wanted = through(FakeEncoder(), [each.numpy() for each in views], size=size)
    assert torch.equal(rows(found), rows(wanted))


def test_a_batch_under_way_is_not_written_over():
    """What is not finite in it is encoded again from its own views, after the next batch was filled."""
    views = pictures(2, 2, 2)
    views[0][1, 0, 0, 0] = POISON
    mishaps, finite = Mishaps(), partial(Elsewhere, poison=1.0)
    found = through(Elsewhere(poison=np.nan), views, size=2, open_float32=finite, mishaps=mishaps)
    assert mishaps.float32 == 1
    assert torch.equal(rows(found), rows(through(finite(), views, size=2)))


def test_what_memory_does_not_hold_is_halved_in_order():
    class Small(Elsewhere):
        def encode(self, views, /, *, capture):
            if len(views) > 2:
                raise torch.OutOfMemoryError("out of memory")
            return super().encode(views, capture=capture)

    views, mishaps = pictures(5, 4), Mishaps()
    with patch("torch.cuda.empty_cache"):
        found = through(Small(), views, size=5, mishaps=mishaps)
    assert mishaps.batch == 2
    assert torch.equal(rows(found), rows(through(Elsewhere(), views, size=9)))


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_an_encoder_with_another_number_of_rows_is_refused(rows):
    class Short(FakeEncoder):
        def encode(self, views, /, *, capture):
            return super().encode(views, capture=capture).select([0] * rows)

    with pytest.raises(EncoderError, match=f"returned {rows} embeddings for 4 views"):
        through(Short(), [picture.numpy() for picture in pictures(4)], size=4)
