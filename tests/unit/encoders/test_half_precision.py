"""Half precision inside, float32 outside, and no view whose result depends on its neighbours."""

import dataclasses
from itertools import product

import numpy as np
import pytest
import torch

from embshift.core.device_copy import copy_to_device
from embshift.core.types import Capture
from embshift.encoders.checkpoints import open_weights, read_config
from embshift.encoders.devices import keep_full_precision
from embshift.encoders.open import open_encoder
from embshift.encoders.speed.half_precision import to_float32
from embshift.encoders.towers.clip import clip_tower
from embshift.encoders.towers.preprocessing import open_preprocessing
from embshift.encoders.towers.tower import build_config
from embshift.encoders.towers.vision import VisionEncoder
from tests.unit.encoders.families import FAMILIES, make_checkpoint

ALL = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS
HALVES = ("float16", "bfloat16")
# In units of one rounding, 2 ** -11 and 2 ** -8: three small blocks with sharp attention add up to seven.
BOUNDS = {"float16": 12 * 2**-11, "bfloat16": 12 * 2**-8}


def make_views(count, *, seed=3, side=32):
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


# The bundled trunk is slow in half precision on a CPU, and slowest in float16.
SLOW = ("lite", "float16")
CASES = [
    pytest.param(case, id="-".join(case), marks=pytest.mark.slow if case == SLOW else ())
    for case in product(("lite", *sorted(FAMILIES)), HALVES)
]


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def source(case, tmp_path_factory):
    name, _ = case
    return name if name == "lite" else str(make_checkpoint(name, tmp_path_factory.mktemp("half") / name))


@pytest.fixture(scope="module")
def halved(case, source):
    return open_encoder(source, device="cpu", precision=case[1])


@pytest.fixture(scope="module")
def full(source):
    return open_encoder(source, device="cpu")


def test_outputs_are_float32_and_near(halved, full, source):
    views = make_views(4, side=64) if source == "lite" else make_views(8)
    found, wanted = halved.encode(views, capture=ALL), full.encode(views, capture=ALL)
    assert (halved.spec.precision, full.spec.precision) != ("float32", "float32")
    assert found.embedding.dtype == found.attention.dtype == torch.float32
    error = (found.embedding - wanted.embedding).norm(dim=1) / wanted.embedding.norm(dim=1)
    # The bundled trunk is deep and thin, and doubles its rounding error many times.
    bound = BOUNDS[halved.spec.precision] * (4 if source == "lite" else 1)
    assert 0 < error.max() < bound, "not rounded at all, or too much"
    assert (found.attention - wanted.attention).abs().max() < 0.04
    if found.layers is not None:
        assert found.layers.dtype == torch.float32


def check_neighbours(encoder, count):
    """Check that no view's bits depend on its place or on the other views."""
    views = make_views(count)
    order = np.random.default_rng(count).permutation(count)
    found, turned = encoder.encode(views, capture=ALL), encoder.encode(views[order], capture=ALL)
    assert torch.equal(found.embedding[order], turned.embedding)
    assert torch.equal(found.attention[order], turned.attention)
    others = np.concatenate([views[:1], make_views(count - 1, seed=9)])
    assert torch.equal(encoder.encode(others, capture=ALL).embedding[0], found.embedding[0])


def test_bits_do_not_depend_on_neighbours(halved, source):
    for count in (3,) if source == "lite" else (2, 3, 5, 8):
        check_neighbours(halved, count)


@pytest.mark.slow
@pytest.mark.parametrize("precision", HALVES)
def test_bits_of_the_bundled_encoder_do_not_depend_on_any_number_of_neighbours(precision):
    encoder = open_encoder("lite", device="cpu", precision=precision)
    for count in (2, 5, 8):
        check_neighbours(encoder, count)


def test_the_residual_stream_stays_in_float32(tmp_path):
    encoder = open_encoder(
        str(make_checkpoint("clip", tmp_path / "clip")), device="cpu", precision="bfloat16"
    )
    seen = []
    for block in encoder.network.vision_model.encoder.layers:
        block.register_forward_pre_hook(
            lambda _, inputs, options: seen.append((inputs, options)), with_kwargs=True
        )
        for part in (block.mlp.fc1, block.mlp.fc2, block.self_attn.q_proj):
            assert part.weight.dtype == torch.bfloat16
    encoder.encode(make_views(4), capture=Capture.EMBEDDING)
    streams = [(*inputs, *options.values())[0] for inputs, options in seen]
    assert [stream.dtype for stream in streams] == [torch.float32] * 3
    assert encoder.network.visual_projection.weight.dtype == torch.float32


def test_wider_values_are_unchanged():
    assert to_float32(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32
    assert to_float32(torch.zeros(1, dtype=torch.float64)).dtype == torch.float64


def test_images_reach_cuda_through_pinned_memory_without_waiting(monkeypatch):
    # There is no such device here, so the test records the calls.
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


def open_on(device, folder):
    """Open a CLIP checkpoint on a device that `choose_device` would not name."""
    tower = clip_tower(build_config(read_config(folder)), open_weights(folder, allow_pickle=False))
    spec = open_encoder(str(folder), device="cpu").spec
    preprocessing = open_preprocessing(folder, default="CLIPImageProcessor")
    return VisionEncoder(
        spec=dataclasses.replace(spec, device=device), tower=tower, preprocessing=preprocessing
    )


@pytest.mark.parametrize(("side", "form"), [(32, torch.uint8), (36, torch.float32)])
def test_bytes_are_copied_if_the_encoder_takes_the_images_unchanged(side, form, tmp_path, monkeypatch):
    # "cpu:0" stands for a device other than main memory.
    folder = make_checkpoint("clip", tmp_path / "clip")
    there, here = open_on("cpu:0", folder), open_encoder(str(folder), device="cpu")
    copied = []
    monkeypatch.setattr(
        "embshift.encoders.towers.vision.copy_to_device",
        lambda values, device: copied.append(values.dtype) or copy_to_device(values, device=device),
    )
    views = make_views(4, seed=7, side=side)
    found, wanted = (encoder.encode(views, capture=Capture.EMBEDDING) for encoder in (there, here))
    assert copied[0] == form
    assert torch.equal(found.embedding, wanted.embedding)


def test_float32_on_cuda_keeps_its_digits():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    with keep_full_precision("cuda:0"):
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cudnn.benchmark
        assert torch.backends.cudnn.deterministic
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark) == before
    with keep_full_precision("cpu"):
        assert torch.backends.cudnn.allow_tf32 == before[0]
