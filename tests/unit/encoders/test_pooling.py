"""Rows of pooling heads and of the attention function, against a literal reference in float64."""

import numpy as np
import pytest
import torch

from embshift.core.errors import EncoderError
from embshift.core.types import Capture
from embshift.encoders.maps.pooling import find_aimv2_head, find_siglip_head, record_pooling
from embshift.encoders.maps.tape import (
    Tape,
    compute_class_row,
    compute_received_attention,
    current_tape,
    record_attention,
)
from embshift.encoders.open import open_encoder
from tests.reference.pooling_reference import class_rows, probe_rows, received_rows, token_rows
from tests.unit.encoders.families import make_checkpoint

WANTED = Capture.EMBEDDING | Capture.ATTENTION


def opened(family, tmp_path):
    return open_encoder(str(make_checkpoint(family, tmp_path / family)), device="cpu")


def views(height=32, width=32):
    return np.random.default_rng(5).integers(0, 256, (4, height, width, 3), dtype=np.uint8)


def call_head(module, encoder, images):
    """Return what a head was called with, and the encoder's map."""
    calls = []
    handle = module.register_forward_pre_hook(lambda _, inputs: calls.append(inputs[:2]))
    found = encoder.encode(images, capture=WANTED)
    handle.remove()
    return [value.double().numpy() for value in calls[0]], found.attention.double().numpy()


@pytest.mark.parametrize("family", ["siglip", "siglip2"])
@pytest.mark.parametrize("width", [32, 44])
def test_siglip_row_equals_the_reference(family, width, tmp_path):
    encoder = opened(family, tmp_path)
    head = find_siglip_head(encoder.network).module
    (probe, patches), found = call_head(head, encoder, views(width=width))
    count = found.shape[-1]
    weight, bias = head.in_proj_weight.double().numpy(), head.in_proj_bias.double().numpy()
    expected = probe_rows(patches, probe[0, 0], weight, bias, heads=2, valid=[count] * 4)
    np.testing.assert_allclose(found, expected[..., :count], rtol=0, atol=1e-6)


def test_siglip_row_is_the_head_s_own(tmp_path):
    encoder = opened("siglip", tmp_path)
    weights = []
    head = find_siglip_head(encoder.network).module
    head.register_forward_hook(lambda module, inputs, outputs: weights.append(outputs[1]))
    found = encoder.encode(views(), capture=WANTED)
    torch.testing.assert_close(found.attention.mean(dim=1), weights[0][:, 0], rtol=0, atol=1e-6)


def test_naflex_leaves_out_its_padding(tmp_path):
    encoder = opened("siglip2", tmp_path)
    found = encoder.encode(views(width=44), capture=WANTED)
    assert found.grid == (3, 5)
    assert found.attention.shape == (4, 2, 15)
    torch.testing.assert_close(found.attention.sum(dim=-1), torch.ones(4, 2))
    assert found.field == (0, 0, 32, 44)


@pytest.mark.parametrize("family", ["aimv2", "aimv2-head"])
def test_aimv2_row_equals_the_reference(family, tmp_path):
    encoder = opened(family, tmp_path)
    head = find_aimv2_head(encoder.network).module
    (patches,), found = call_head(head, encoder, views())
    weight = head.k_proj.weight.double().numpy()
    bias = None if head.k_proj.bias is None else head.k_proj.bias.double().numpy()
    expected = token_rows(patches, head.cls_token[0, 0].double().numpy(), weight, bias, heads=2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("ours", "literal"), [(compute_class_row, class_rows), (compute_received_attention, received_rows)]
)
def test_rows_of_a_block_equal_the_reference(ours, literal):
    draw = torch.Generator().manual_seed(1)
    query, key = (2 * torch.randn(2, 3, 6, 4, generator=draw) for _ in range(2))
    expected = literal(query.double().numpy(), key.double().numpy(), 0.5)
    np.testing.assert_allclose(ours(query, key, scaling=0.5), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", ["siglip", "aimv2-head", "clip"])
def test_nothing_stays_behind_after_a_failure(family, tmp_path):
    encoder = opened(family, tmp_path)
    before = encoder.encode(views(), capture=WANTED)

    def fail(*_):
        raise RuntimeError("broken on purpose")

    last = list(encoder.network.modules())[-1]
    handle = last.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        encoder.encode(views(), capture=WANTED | Capture.LAYERS)
    handle.remove()
    assert not any(
        module._forward_pre_hooks for module in encoder.network.modules()
    )  # torch has no public list
    assert current_tape() is None
    after = encoder.encode(views(), capture=WANTED)
    assert torch.equal(after.attention, before.attention)


def test_no_hook_and_no_tape_for_the_embedding_alone(tmp_path, monkeypatch):
    encoders = [opened(family, tmp_path) for family in ("siglip", "clip", "aimv2-headless")]

    def refuse(*_, **__):
        raise AssertionError("no map was wanted")

    monkeypatch.setattr(Tape, "record", refuse)
    monkeypatch.setattr(torch.nn.Module, "register_forward_pre_hook", refuse)
    for encoder in encoders:
        encoder.encode(views(), capture=Capture.EMBEDDING)


def test_a_pass_without_attention_calls_raises():
    said = "recorded 0 attention calls, but the encoder has 2 blocks"
    with (
        pytest.raises(EncoderError, match=said),
        record_attention(blocks=2, wanted={1}, reduce=compute_class_row),
    ):
        pass


def test_a_head_that_is_not_called_raises(tmp_path):
    head = find_siglip_head(opened("siglip", tmp_path).network)
    with pytest.raises(EncoderError, match="called 0 times"), record_pooling(head):
        pass


def test_a_network_without_a_head_raises():
    with pytest.raises(EncoderError, match="expected one pooling head, found 0"):
        find_siglip_head(torch.nn.Linear(2, 2))
    with pytest.raises(EncoderError, match="expected one pooling head, found 0"):
        find_aimv2_head(torch.nn.Linear(2, 2))
