"""The contract of every encoder that the transformers library opens, on a small checkpoint of each kind."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import transformers

from embshift.core.encoding import Encoder
from embshift.core.types import Capture, Field
from embshift.encoders import ENCODERS
from embshift.encoders.open import open_encoder
from tests.unit.encoders.families import FAMILIES, make_checkpoint, reference_network

ALL = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS
POOLED = ("siglip", "siglip-vision", "siglip2", "aimv2", "aimv2-head")


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def folder(family, tmp_path_factory):
    return make_checkpoint(family, tmp_path_factory.mktemp("checkpoint") / family)


@pytest.fixture(scope="module")
def encoder(folder):
    return open_encoder(str(folder), device="cpu")


@pytest.fixture(scope="module", params=[(32, 32), (36, 52)], ids=["exact", "other"])
def views(request):
    return np.random.default_rng(7).integers(0, 256, (4, *request.param, 3), dtype=np.uint8)


def library_inputs(family, folder, views):
    """Return the views as the library's own processor prepares them, one at a time."""
    kind = FAMILIES[family]
    if not kind.processor.startswith("DINOv3"):
        processor = getattr(transformers, kind.processor).from_pretrained(folder)
        return dict(processor(images=list(views), input_data_format="channels_last", return_tensors="pt"))
    values = torch.tensor(views).permute(0, 3, 1, 2).float() / 255
    values = torch.nn.functional.interpolate(values, size=(32, 32), mode="bilinear", antialias=True)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return {"pixel_values": (values - mean[:, None, None]) / deviation[:, None, None]}


def library_embedding(family, network, inputs):
    if hasattr(network, "get_image_features"):
        return network.get_image_features(**inputs).pooler_output
    output = network(**inputs)
    if family == "clip-vision-projected":
        return output.image_embeds
    if family == "aimv2-headless":
        return output.last_hidden_state.mean(dim=1)
    return output.last_hidden_state[:, 0] if FAMILIES[family].name == "vit" else output.pooler_output


def library_attentions(network, inputs):
    """Return every block's attention, (views, heads, tokens, tokens), computed step by step."""
    seeing = getattr(network, "vision_model", network)
    with torch.inference_mode():
        return seeing(**inputs, output_attentions=True).attentions


def test_is_an_encoder(encoder, family):
    assert isinstance(encoder, Encoder)
    assert encoder.spec.family == FAMILIES[family].name in ENCODERS
    assert len(encoder.spec.digest) == 64
    json.dumps(dataclasses.asdict(encoder.spec))
    expected = "torch" if family == "dinov3" else "pil"
    assert encoder.spec.preprocessing["backend"] == expected


def test_embedding_is_the_library_s(encoder, family, folder, views):
    network = reference_network(family)
    network.set_attn_implementation("sdpa")
    with torch.inference_mode():
        expected = library_embedding(family, network, library_inputs(family, folder, views))
    # AIMv2's head runs step by step; the library fuses it and rounds differently. DINOv3's rotations round by
    # the order of sums, which follows the processor: 2e-6 without AVX-512.
    close = 3e-6 if family in ("aimv2", "aimv2-head", "dinov3") else 1e-6
    found = encoder.encode(views, capture=Capture.EMBEDDING).embedding
    assert found.dtype == torch.float32
    assert found.shape == (4, encoder.spec.dim)
    torch.testing.assert_close(found, expected, rtol=0, atol=close)
    assert (found.std(dim=0) > 1e-3).all(), "views must differ for this to show anything"


def test_capture_does_not_change_the_embedding(encoder, views):
    plain = encoder.encode(views, capture=Capture.EMBEDDING)
    for capture in (Capture.EMBEDDING | Capture.ATTENTION, ALL):
        assert torch.equal(encoder.encode(views, capture=capture).embedding, plain.embedding)
    assert plain.attention is None
    assert plain.layers is None


def test_every_block_s_class_row(encoder, family, folder, views):
    prefix = FAMILIES[family].prefix
    found = encoder.encode(views, capture=ALL)
    if not prefix:
        assert found.layers is None
        assert encoder.spec.layers == 0
        return
    attentions = library_attentions(reference_network(family), library_inputs(family, folder, views))
    expected = torch.stack([block[:, :, 0, prefix:] for block in attentions], dim=1)
    assert expected.shape == (4, encoder.spec.layers, encoder.spec.heads, found.grid[0] * found.grid[1])
    torch.testing.assert_close(found.layers, expected, rtol=0, atol=1e-5)
    assert expected.std(dim=-1).min() > 1e-3, "even attention would show nothing"


def test_final_map(encoder, family, folder, views):
    found = encoder.encode(views, capture=Capture.EMBEDDING | Capture.ATTENTION)
    assert found.layers is None
    assert found.attention.shape == (4, encoder.spec.heads, found.grid[0] * found.grid[1])
    assert (found.attention >= 0).all()
    assert found.attention.std(dim=-1).min() > 1e-3
    prefix = FAMILIES[family].prefix
    if family in POOLED:  # compared with a literal reference in tests/unit/encoders/test_pooling.py
        torch.testing.assert_close(found.attention.sum(dim=-1), torch.ones(4, 2))
        return
    last = library_attentions(reference_network(family), library_inputs(family, folder, views))[-1]
    expected = last[:, :, 0, prefix:] if prefix else last.mean(dim=2)
    torch.testing.assert_close(found.attention, expected, rtol=0, atol=1e-5)


def test_layers_end_in_the_final_map(encoder, views):
    both = encoder.encode(views, capture=ALL)
    if both.layers is not None:
        assert torch.equal(both.layers[:, -1], both.attention)
        alone = encoder.encode(views, capture=Capture.EMBEDDING | Capture.LAYERS)
        assert alone.attention is None
        assert torch.equal(alone.layers, both.layers)


def test_views_that_are_on_the_device_are_encoded_alike(encoder, views):
    there, here = (encoder.encode(each, capture=ALL) for each in (torch.as_tensor(views), views))
    assert (there.grid, there.field) == (here.grid, here.field)
    assert torch.equal(there.embedding, here.embedding)
    assert torch.equal(there.attention, here.attention)


@pytest.mark.parametrize("count", [3, 5, 7, 13])
def test_rows_do_not_depend_on_their_place(encoder, count):
    rows = np.arange(count)[::-1].copy()
    many = np.random.default_rng(3).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    whole, moved = encoder.encode(many, capture=ALL), encoder.encode(many[rows], capture=ALL)
    assert len(whole) == count
    assert torch.equal(whole.embedding.flip(0), moved.embedding)
    assert torch.equal(whole.attention.flip(0), moved.attention)


def test_rows_do_not_depend_on_their_neighbours(encoder, views):
    order = [2, 0, 3, 1]
    whole, moved = encoder.encode(views, capture=ALL), encoder.encode(views[order], capture=ALL)
    padded = encoder.encode(np.concatenate([views[:1], views[:1], views[:1], views[3:]]), capture=ALL)
    for name in ("embedding", "attention", "layers"):
        if getattr(whole, name) is not None:
            assert torch.equal(getattr(whole, name)[order], getattr(moved, name)), name
            assert torch.equal(getattr(padded, name)[3], getattr(whole, name)[3]), name
            assert torch.equal(getattr(padded, name)[1], getattr(whole, name)[0]), name


def test_field_lies_in_the_image(encoder, views):
    field = encoder.encode(views, capture=Capture.EMBEDDING).field
    assert isinstance(field, Field)
    assert 0 <= field.top < field.top + field.height <= views.shape[1]
    assert 0 <= field.left < field.left + field.width <= views.shape[2]


def test_reads_a_view_that_cannot_be_written(encoder, views):
    locked = views.copy()
    locked.flags.writeable = False
    assert torch.isfinite(encoder.encode(locked, capture=Capture.EMBEDDING).embedding).all()
