"""What every encoder that is selected by its own name promises; a new one is held to it by being there."""

import numpy as np
import pytest
import torch

from embshift.core.encoding import Encoder
from embshift.core.errors import EncoderError
from embshift.core.types import Capture
from embshift.encoders import ENCODERS
from embshift.encoders.open import open_encoder

NAMED = [name for name, entry in ENCODERS.items() if not entry.model_types and not entry.written]
SIZE = (64, 64)


@pytest.fixture(scope="module", params=NAMED)
def encoder(request):
    return open_encoder(request.param, device="cpu", allow_pickle=False)


@pytest.fixture(scope="module")
def views():
    return np.random.default_rng(0).integers(0, 256, (5, *SIZE, 3), dtype=np.uint8)


def test_it_is_an_encoder_and_states_itself(encoder):
    spec = encoder.spec
    assert isinstance(encoder, Encoder)
    assert spec.name in NAMED
    assert spec.embedding
    assert spec.map_name
    assert spec.map_source
    assert len(spec.digest) == 64
    assert (spec.precision, spec.device, spec.runtime) == ("float32", "cpu", "torch")
    entry = ENCODERS[spec.name]
    assert entry.summary
    assert entry.summary == entry.summary.strip().removesuffix(".")


def test_embeddings_have_the_stated_length_and_are_finite(encoder, views):
    found = encoder.encode(views, capture=Capture.EMBEDDING)
    assert found.embedding.shape == (len(views), encoder.spec.dim)
    assert found.embedding.dtype == torch.float32
    assert torch.isfinite(found.embedding).all()
    assert found.attention is None


def test_maps_fill_their_grid(encoder, views):
    found = encoder.encode(views, capture=Capture.EMBEDDING | Capture.ATTENTION)
    rows, columns = found.grid
    assert found.attention.shape == (len(views), encoder.spec.heads, rows * columns)
    assert found.attention.dtype == torch.float32
    assert (found.attention >= 0).all()
    top, left, height, width = found.field
    assert top >= 0
    assert left >= 0
    assert top + height <= SIZE[0] + 1e-6
    assert left + width <= SIZE[1] + 1e-6


def test_neighbours_in_a_batch_change_nothing(encoder, views):
    together = encoder.encode(views, capture=Capture.EMBEDDING).embedding
    other = np.concatenate([views[:1], np.random.default_rng(1).integers(0, 256, (4, *SIZE, 3), np.uint8)])
    beside = encoder.encode(other, capture=Capture.EMBEDDING).embedding
    assert torch.equal(together[0], beside[0])


def test_the_views_are_left_as_they_were(encoder, views):
    before = views.copy()
    encoder.encode(views, capture=Capture.EMBEDDING | Capture.ATTENTION)
    assert np.array_equal(views, before)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("option", [{"precision": "float8"}, {"runtime": "abacus"}])
def test_what_it_cannot_do_is_refused(name, option):
    with pytest.raises(EncoderError):
        open_encoder(name, device="cpu", allow_pickle=False, **option)
