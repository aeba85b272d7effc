"""The last block computes only the class token, with the same result as the whole block."""

import numpy as np
import pytest
import torch

from embshift.core.types import Capture
from embshift.encoders.open import open_encoder
from embshift.encoders.speed.class_block import ClassBlock, cut_last_block
from tests.unit.encoders.families import FAMILIES, make_checkpoint

ALL = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS
CLASSED = sorted(family for family, kind in FAMILIES.items() if kind.prefix)
OTHERS = sorted(set(FAMILIES) - set(CLASSED))


def cut_blocks(encoder):
    return [module for module in encoder.network.modules() if isinstance(module, ClassBlock)]


def opened(family, folder):
    return open_encoder(str(make_checkpoint(family, folder / family)), device="cpu")


@pytest.mark.parametrize("family", CLASSED)
def test_every_family_with_a_class_token_sees_the_same(family, tmp_path, monkeypatch):
    cut = opened(family, tmp_path)
    monkeypatch.setattr("embshift.encoders.towers.vision.cut_last_block", lambda network: None)
    whole = opened(family, tmp_path)
    assert (len(cut_blocks(cut)), len(cut_blocks(whole))) == (1, 0)
    views = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    found, wanted = (encoder.encode(views, capture=ALL) for encoder in (cut, whole))
    torch.testing.assert_close(found.embedding, wanted.embedding, rtol=1e-5, atol=1e-6)
    assert torch.equal(found.attention, wanted.attention)
    assert torch.equal(found.layers, wanted.layers), "only the last inner layers may differ"


@pytest.mark.parametrize("family", CLASSED)
def test_only_the_class_token_goes_through_the_inner_layers(family, tmp_path):
    encoder, seen = opened(family, tmp_path), []
    (last,) = cut_blocks(encoder)
    last.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    encoder.encode(np.zeros((4, 32, 32, 3), dtype=np.uint8), capture=Capture.EMBEDDING)
    assert seen == [(4, 1, 32)]


def test_an_attention_that_returns_no_weights_is_supported(tmp_path):
    encoder = opened("dinov2", tmp_path)
    views = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    wanted = encoder.encode(views, capture=Capture.EMBEDDING).embedding
    (last,) = cut_blocks(encoder)
    whole = last.attention.forward
    last.attention.forward = lambda *given, **options: whole(*given, **options)[0]
    assert torch.equal(encoder.encode(views, capture=Capture.EMBEDDING).embedding, wanted)


@pytest.mark.parametrize("family", OTHERS)
def test_without_a_class_token_the_last_block_stays_whole(family, tmp_path):
    assert not cut_blocks(opened(family, tmp_path))


@pytest.mark.parametrize("change", ["more", "fewer", "none"])
def test_a_block_of_unknown_parts_stays_whole(change, tmp_path, monkeypatch):
    monkeypatch.setattr("embshift.encoders.towers.vision.cut_last_block", lambda network: None)
    network = opened("clip", tmp_path).network
    last = network.vision_model.encoder.layers[-1]
    if change == "more":
        last.gate = torch.nn.Identity()
    if change == "fewer":
        del last.layer_norm2
    cut_last_block(network)
    assert isinstance(network.vision_model.encoder.layers[-1], ClassBlock) == (change == "none")
    assert not any(isinstance(block, ClassBlock) for block in network.vision_model.encoder.layers[:-1])
