"""Rows of pooling heads and of the attention function, held to a literal writing in float64."""

import numpy as np
import pytest
import torch

from embshift.core.errors import EncoderError
from embshift.core.types import Capture
from embshift.encoders.maps.pooling import aimv2_head, listening, siglip_head
from embshift.encoders.maps.probe import Tape, class_row, received_mean, recording
from embshift.encoders.open import open_encoder
from tests.reference.pooling_reference import class_rows, probe_rows, received_rows, token_rows
from tests.unit.encoders.families import make_checkpoint

WANTED = Capture.EMBEDDING | Capture.ATTENTION


def opened(family, tmp_path):
    return open_encoder(str(make_checkpoint(family, tmp_path / family)), device="cpu")


def views(height=32, width=32):
    return np.random.default_rng(5).integers(0, 256, (4, height, width, 3), dtype=np.uint8)


def heard_by(module, encoder, pictures):
    """What a head was called with, and what the encoder gave."""
    calls = []
    handle = module.register_forward_pre_hook(lambda _, inputs: calls.append(inputs[:2]))
    found = encoder.encode(pictures, capture=WANTED)
    handle.remove()
    return [value.double().numpy() for value in calls[0]], found.attention.double().numpy()


@pytest.mark.parametrize("family", ["siglip", "siglip2"])
@pytest.mark.parametrize("width", [32, 44])
def test_siglip_row_is_the_literal_one(family, width, tmp_path):
    encoder = opened(family, tmp_path)
    head = siglip_head(encoder._tower.network).module
    (probe, patches), found = heard_by(head, encoder, views(width=width))
    count = found.shape[-1]
    weight, bias = head.in_proj_weight.double().numpy(), head.in_proj_bias.double().numpy()
    expected = probe_rows(patches, probe[0, 0], weight, bias, heads=2, valid=[count] * 4)
    np.testing.assert_allclose(found, expected[..., :count], rtol=0, atol=1e-6)


def test_siglip_row_is_the_head_s_own(tmp_path):
    encoder = opened("siglip", tmp_path)
    weights = []
    head = siglip_head(encoder._tower.network).module
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
def test_aimv2_row_is_the_literal_one(family, tmp_path):
    encoder = opened(family, tmp_path)
    head = aimv2_head(encoder._tower.network).module
    (patches,), found = heard_by(head, encoder, views())
    weight = head.k_proj.weight.double().numpy()
    bias = None if head.k_proj.bias is None else head.k_proj.bias.double().numpy()
    expected = token_rows(patches, head.cls_token[0, 0].double().numpy(), weight, bias, heads=2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("ours", "literal"), [(class_row, class_rows), (received_mean, received_rows)])
def test_rows_of_a_block_are_the_literal_ones(ours, literal):
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

    last = list(encoder._tower.network.modules())[-1]
    handle = last.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        encoder.encode(views(), capture=WANTED | Capture.LAYERS)
    handle.remove()
    assert not any(module._forward_pre_hooks for module in encoder._tower.network.modules())
    from embshift.encoders import probe

    assert probe._TAPE.get() is None
    after = encoder.encode(views(), capture=WANTED)
    assert torch.equal(after.attention, before.attention)


def test_no_hook_and_no_tape_for_the_embedding_alone(tmp_path, monkeypatch):
    encoders = [opened(family, tmp_path) for family in ("siglip", "clip", "aimv2-headless")]

    def refuse(*_, **__):
        raise AssertionError("nothing was asked for")

    monkeypatch.setattr(Tape, "hear", refuse)
    monkeypatch.setattr(torch.nn.Module, "register_forward_pre_hook", refuse)
    for encoder in encoders:
        encoder.encode(views(), capture=Capture.EMBEDDING)


def test_a_pass_without_attention_calls_raises():
    said = "0 attention calls were heard where the encoder has 2 blocks"
    with pytest.raises(EncoderError, match=said), recording(blocks=2, wanted={1}, reduce=class_row):
        pass


def test_a_head_that_is_not_called_raises(tmp_path):
    head = siglip_head(opened("siglip", tmp_path)._tower.network)
    with pytest.raises(EncoderError, match="called 0 times"), listening(head):
        pass


def test_a_network_without_a_head_raises():
    with pytest.raises(EncoderError, match="one pooling head was expected and 0 were found"):
        siglip_head(torch.nn.Linear(2, 2))
    with pytest.raises(EncoderError, match="0 were found"):
        aimv2_head(torch.nn.Linear(2, 2))
