"""Half precision inside, float32 outside, and no view that knows its neighbours."""

import dataclasses

import numpy as np
import pytest
import torch

from embshift.core.device_copy import copy_to_device
from embshift.core.types import Capture
from embshift.encoders.devices import full_precision
from embshift.encoders.open import open_encoder
from embshift.encoders.speed.half_precision import single
from tests.unit.encoders.families import FAMILIES, make_checkpoint

ALL = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS
HALVES = ("float16", "bfloat16")
# In roundings of one value, 2 ** -11 and 2 ** -8: three small blocks with sharp attention add up to seven.
BOUNDS = {"float16": 12 * 2**-11, "bfloat16": 12 * 2**-8}


def drawn(count, *, seed=3, side=32):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=["lite", *sorted(FAMILIES)])
def source(request, tmp_path_factory):
    if request.param == "lite":
        return "lite"
    return str(make_checkpoint(request.param, tmp_path_factory.mktemp("half") / request.param))


@pytest.fixture(scope="module", params=HALVES)
def halved(request, source):
    return open_encoder(source, device="cpu", precision=request.param)


@pytest.fixture(scope="module")
def plain(source):
    return open_encoder(source, device="cpu")


def test_what_comes_out_is_float32_and_near(halved, plain, source):
    views = drawn(8, side=96 if source == "lite" else 32)
    found, wanted = halved.encode(views, capture=ALL), plain.encode(views, capture=ALL)
    assert (halved.spec.precision, plain.spec.precision) != ("float32", "float32")
    assert found.embedding.dtype == found.attention.dtype == torch.float32
    error = (found.embedding - wanted.embedding).norm(dim=1) / wanted.embedding.norm(dim=1)
    # The bundled trunk is deep and thin, and doubles its rounding many times over.
    bound = BOUNDS[halved.spec.precision] * (4 if source == "lite" else 1)
    assert 0 < error.max() < bound, "not rounded at all, or too much"
    assert (found.attention - wanted.attention).abs().max() < 0.04
    if found.layers is not None:
        assert found.layers.dtype == torch.float32


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_bits_do_not_depend_on_neighbours(halved, count):
    views = drawn(count)
    order = np.random.default_rng(count).permutation(count)
    found, turned = halved.encode(views, capture=ALL), halved.encode(views[order], capture=ALL)
    assert torch.equal(found.embedding[order], turned.embedding)
    assert torch.equal(found.attention[order], turned.attention)
    others = np.concatenate([views[:1], drawn(count - 1, seed=9)])
    assert torch.equal(halved.encode(others, capture=ALL).embedding[0], found.embedding[0])


def test_the_residual_stream_stays_in_float32(tmp_path):
    encoder = open_encoder(
        str(make_checkpoint("clip", tmp_path / "clip")), device="cpu", precision="bfloat16"
    )
    seen = []
    for block in encoder._tower.network.vision_model.encoder.layers:
        block.register_forward_pre_hook(
            lambda _, inputs, options: seen.append((inputs, options)), with_kwargs=True
        )
        for part in (block.mlp.fc1, block.mlp.fc2, block.self_attn.q_proj):
            assert part.weight.dtype == torch.bfloat16
    encoder.encode(drawn(4), capture=Capture.EMBEDDING)
    streams = [(*inputs, *options.values())[0] for inputs, options in seen]
    assert [stream.dtype for stream in streams] == [torch.float32] * 3
    assert encoder._tower.network.visual_projection.weight.dtype == torch.float32


def test_single_leaves_what_is_wider():
    assert single(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32
    assert single(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_pictures_reach_cuda_through_locked_memory_without_waiting(monkeypatch):
    # There is no such device here: what is called stands for what would happen.
    steps = []

    class Values:
        def __init__(self, place="cpu"):
            self.device = torch.device(place)

        def pin_memory(self):
            steps.append("pinned")
            return self

        def to(self, device, **options):
            steps.append((device, options))
            return self

    monkeypatch.setattr("embshift.core.device_copy.torch.Tensor", Values)
    bare = getattr(copy_to_device, "__wrapped__", copy_to_device)
    bare(Values(), device="cuda:0")
    bare(Values(), device="cpu")
    bare(Values("cuda:0"), device="cuda:0")
    assert steps == ["pinned", ("cuda:0", {"non_blocking": True}), ("cpu", {}), ("cuda:0", {})]


@pytest.mark.parametrize(("side", "form"), [(32, torch.uint8), (36, torch.float32)])
def test_bytes_go_over_where_the_encoder_takes_the_pictures_as_they_are(side, form, tmp_path, monkeypatch):
    # "cpu:0" stands for a device that is not the main memory's.
    folder = make_checkpoint("clip", tmp_path / "clip")
    there, here = (open_encoder(str(folder), device="cpu") for _ in range(2))
    monkeypatch.setattr(there, "_spec", dataclasses.replace(there.spec, device="cpu:0"))
    sent = []
    monkeypatch.setattr(
        "embshift.encoders.towers.vision.moved",
        lambda values, device: sent.append(values.dtype) or copy_to_device(values, device=device),
    )
    views = np.random.default_rng(7).integers(0, 256, (4, side, side, 3), dtype=np.uint8)
    found, wanted = (encoder.encode(views, capture=Capture.EMBEDDING) for encoder in (there, here))
    assert sent[0] == form
    assert torch.equal(found.embedding, wanted.embedding)


def test_float32_on_cuda_keeps_its_digits():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    with full_precision("cuda:0"):
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cudnn.benchmark
        assert torch.backends.cudnn.deterministic
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark) == before
    with full_precision("cpu"):
        assert torch.backends.cudnn.allow_tf32 == before[0]
