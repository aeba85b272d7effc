"""CLIP's activation in place equals the library's, bit for bit."""

import pytest
import torch
from transformers.activations import QuickGELUActivation

from embshift.encoders.open import open_encoder
from embshift.encoders.speed.quick_gelu import QuickGelu, use_quick_gelu
from tests.unit.encoders.families import make_checkpoint


@pytest.fixture
def threads():
    """A function that sets torch's number of threads; the number is restored afterwards."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def drawn(*shape, form=torch.float32):
    return (10 * torch.randn(shape, generator=torch.Generator().manual_seed(1))).to(form)


@pytest.mark.parametrize("form", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(1,), (3, 7, 11), (4, 50, 96), (0, 5), (3, 50, 3072)])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_same_bits_in_the_same_memory(shape, form, count, threads):
    threads(count)
    values = drawn(*shape, form=form)
    wanted, place = QuickGELUActivation()(values), values.data_ptr()
    found = QuickGelu()(values)
    assert torch.equal(found, wanted)
    assert (found.data_ptr(), found.shape, found.dtype) == (place, wanted.shape, form)


@pytest.mark.parametrize("count", [7, 11, 13])
def test_bits_do_not_depend_on_the_place_with_any_number_of_threads(count, threads):
    # The library's own bits depend on the place here: its shares are not a multiple of a register.
    threads(count)
    values, order = drawn(8, 50, 3072), torch.randperm(8, generator=torch.Generator().manual_seed(2))
    turned = QuickGelu()(values[order])
    assert torch.equal(QuickGelu()(values)[order], turned)


def test_what_is_not_finite_stays_so():
    values = torch.tensor([float("nan"), float("inf"), -float("inf"), 0.0])
    wanted = QuickGELUActivation()(values)
    assert torch.equal(QuickGelu()(values).nan_to_num(7.0), wanted.nan_to_num(7.0))


def test_only_this_activation_is_replaced():
    network = torch.nn.Sequential(QuickGELUActivation(), torch.nn.GELU(), torch.nn.ReLU())
    use_quick_gelu(network)
    assert [type(module) for module in network] == [QuickGelu, torch.nn.GELU, torch.nn.ReLU]


@pytest.mark.parametrize(("runtime", "count"), [("torch", 3), ("openvino", 0), ("compiled", 0)])
def test_graphs_keep_the_library_s(runtime, count, tmp_path, monkeypatch):
    monkeypatch.setattr("embshift.encoders.speed.runtimes.check_compiler", lambda device: None)
    encoder = open_encoder(str(make_checkpoint("clip", tmp_path / "clip")), device="cpu", runtime=runtime)
    found = [module for module in encoder.network.modules() if isinstance(module, QuickGelu)]
    assert len(found) == count
