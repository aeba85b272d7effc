"""Encoders of open_clip give what the library's own calls give."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from embshift.core.encoding import Encoder
from embshift.core.errors import (
    EncoderError,
    MissingTokenizerError,
    OfflineError,
    UnknownNameError,
    UsageError,
    WeightsError,
)
from embshift.core.types import Capture
from embshift.encoders.open import open_encoder
from embshift.encoders.texts.open import open_texts
from embshift.measurement.session.encoder_files import encoder_files, same_files
from tests.extras import networks
from tests.loopback_hub import serve_folder

BOTH = Capture.EMBEDDING | Capture.ATTENTION
VIEWS = np.random.default_rng(1).integers(0, 256, (5, 70, 70, 3), dtype=np.uint8)


def source(name, file):
    return f"open_clip:{name}/{file}"


def library_call(name, file, views, **options):
    """What the library itself gives: inputs, embeddings, and the model."""
    model, _, prepare = open_clip.create_model_and_transforms(name, pretrained=str(file), **options)
    inputs = torch.stack([prepare(Image.fromarray(view)) for view in views])
    with torch.no_grad():
        return inputs, model.eval().encode_image(inputs, normalize=False), model


@pytest.mark.parametrize("name", networks.OPEN_CLIP)
def test_embeddings_are_the_library_s_own(name, open_clip_file, views):
    file = open_clip_file(name)
    encoder = open_encoder(source(name, file), device="cpu")
    assert isinstance(encoder, Encoder)
    _, wanted, _ = library_call(name, file, views)
    found = encoder.encode(views, capture=BOTH)
    torch.testing.assert_close(found.embedding, wanted, rtol=0, atol=1e-6)
    assert found.embedding.shape == (5, encoder.spec.dim)
    assert torch.equal(encoder.encode(views, capture=Capture.EMBEDDING).embedding, found.embedding)
    assert len(encoder.spec.digest) == len(encoder.spec.config) == 64
    assert encoder.spec.digest == hashlib.sha256(file.read_bytes()).hexdigest()


def eager_row(name, file, views):
    """The class token's row of the last block in float64, from the weights and the block's input."""
    inputs, _, model = library_call(name, file, views)
    block, seen = model.visual.transformer.resblocks[-1], []
    block.ln_1.register_forward_hook(lambda _, given, output: seen.append(output))
    with torch.no_grad():
        model.encode_image(inputs)
    attention, tokens = block.attn, seen[0].double()
    both = tokens @ attention.in_proj_weight.double().T + attention.in_proj_bias.double()
    heads = attention.num_heads
    query, key, _ = both.view(*tokens.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)
    weights = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
    return weights[:, :, 0, 1:]


@pytest.mark.parametrize("name", networks.WITH_CLASS_TOKEN)
def test_the_map_is_that_of_eager_attention(name, open_clip_file, views):
    file = open_clip_file(name)
    encoder = open_encoder(source(name, file), device="cpu")
    found = encoder.encode(views, capture=BOTH)
    wanted = eager_row(name, file, views)
    torch.testing.assert_close(found.attention.double(), wanted, rtol=0, atol=1e-5)
    assert wanted.std() > 1e-3  # a map that is the same everywhere would hide an error
    assert (encoder.spec.heads, encoder.spec.map_name) == (4, "attention map")
    assert found.grid == ((4, 6) if name == "tiny-oblong" else (4, 4))


def test_the_field_is_what_a_centre_crop_keeps(open_clip_file):
    encoder = open_encoder(source("tiny", open_clip_file("tiny")), device="cpu")
    views = np.random.default_rng(0).integers(0, 256, (1, 128, 256, 3), dtype=np.uint8)
    found = encoder.encode(views, capture=BOTH)
    assert found.field == (0, 64, 128, 128)
    outside = views.copy()
    outside[:, :, :60] = outside[:, :, 196:] = 0
    assert torch.equal(encoder.encode(outside, capture=BOTH).attention, found.attention)


def test_a_trunk_of_timm_gives_its_probe_s_row(open_clip_file, views):
    file = open_clip_file("tiny-timm")
    encoder = open_encoder(source("tiny-timm", file), device="cpu")
    found = encoder.encode(views, capture=BOTH)
    assert (encoder.spec.map_source.split(",")[0], found.grid) == ("pooling head", (10, 10))
    inputs, _, model = library_call("tiny-timm", file, views)
    pool, seen = model.visual.trunk.attn_pool, []
    pool.register_forward_hook(lambda _, given, output: seen.append(given[0]))
    with torch.no_grad():
        model.encode_image(inputs)
    wanted = networks.compute_probe_row(pool, seen[0])[..., -100:]
    torch.testing.assert_close(found.attention.double(), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", networks.WITHOUT_MAP)
def test_networks_without_a_class_token_have_no_map(name, open_clip_file):
    encoder = open_encoder(source(name, open_clip_file(name)), device="cpu")
    assert (encoder.spec.map_name, encoder.spec.map_source, encoder.spec.heads) == ("", "", 0)
    assert encoder.encode(VIEWS, capture=BOTH).attention is None


@pytest.mark.parametrize("name", networks.OPEN_CLIP)
def test_neighbours_in_a_batch_change_nothing(name, open_clip_file):
    encoder = open_encoder(source(name, open_clip_file(name)), device="cpu")
    together = encoder.encode(VIEWS, capture=BOTH)
    turned = encoder.encode(VIEWS[::-1].copy(), capture=BOTH)
    assert torch.equal(together.embedding, turned.embedding.flip(0))
    if together.attention is not None:
        assert torch.equal(together.attention, turned.attention.flip(0))


def test_a_training_checkpoint_is_read_with_permission(tmp_path, open_clip_file):
    file = networks.save(networks.make_open_clip("tiny"), tmp_path / "epoch_1.pt")
    with pytest.raises(WeightsError, match=r"epoch_1\.pt is a pickle .*--allow-pickle"):
        open_encoder(source("tiny", file), device="cpu")
    encoder = open_encoder(source("tiny", file), device="cpu", allow_pickle=True)
    wanted = open_encoder(source("tiny", open_clip_file("tiny")), device="cpu")
    found = encoder.encode(VIEWS, capture=BOTH).embedding
    assert torch.equal(found, wanted.encode(VIEWS, capture=BOTH).embedding)


def test_what_names_no_weights_is_told_the_way_out():
    with pytest.raises(UnknownNameError, match=r"unknown network of open_clip 'ViT-B-31'; did you mean"):
        open_encoder("open_clip:ViT-B-31/laion2b_s34b_b79k", device="cpu")
    with pytest.raises(UsageError, match=r"names no weights; expected .*laion2b_s34b_b79k.*ViT-B-32/FILE"):
        open_encoder("open_clip:ViT-B-32", device="cpu")
    with pytest.raises(UsageError, match="lists none for it"):
        open_encoder("open_clip:tiny/", device="cpu")
    with pytest.raises(WeightsError, match=r"is no file; expected .*, or one of the tags .*laion400m_e31"):
        open_encoder("open_clip:ViT-B-32/laion2b", device="cpu")
    for schema in ("hf-hub:someone", "local-dir:here"):
        with pytest.raises(UnknownNameError):
            open_encoder(f"open_clip:{schema}/file.pt", device="cpu")


def test_weights_of_another_network_are_refused(open_clip_file):
    with pytest.raises(WeightsError, match="are not those of this network"):
        open_encoder(source("tiny-mean", open_clip_file("tiny-resnet")), device="cpu")


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        open_encoder(source("tiny", tmp_path / name), device="cpu", allow_pickle=True)


def test_weights_that_fit_another_activation_are_refused():
    with pytest.raises(EncoderError, match=r"with QuickGELU.*use open_clip:ViT-B-32-quickgelu/openai"):
        open_encoder("open_clip:ViT-B-32/openai", device="cpu")


def test_preprocessing_follows_the_file_s_own_configuration(tmp_path, open_clip_file, views):
    file = tmp_path / "open_clip_model.safetensors"
    file.write_bytes(open_clip_file("tiny").read_bytes())
    stated = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bilinear", "resize_mode": "squash"}
    sidecar = {"model_cfg": networks.describe("tiny"), "preprocess_cfg": stated}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(sidecar))
    encoder = open_encoder(source("tiny", file), device="cpu")
    _, wanted, _ = library_call(f"local-dir:{tmp_path}", "", views)
    found = encoder.encode(views, capture=BOTH)
    torch.testing.assert_close(found.embedding, wanted, rtol=0, atol=1e-6)
    assert found.field == (0, 0, *views.shape[1:3])
    (tmp_path / "open_clip_config.json").write_text("{}")
    with pytest.raises(EncoderError, match="states no preprocess_cfg"):
        open_encoder(source("tiny", file), device="cpu")


@pytest.fixture
def small_siglip(tmp_path):
    """A small network under the name of one whose weights all share another preprocessing."""
    networks.register(tmp_path / "table", ["tiny"], under="ViT-B-16-SigLIP")
    yield networks.save(networks.make_open_clip("ViT-B-16-SigLIP"), tmp_path / "mine.safetensors")
    networks.restore("ViT-B-16-SigLIP")


def test_preprocessing_of_a_file_is_that_of_all_tags(small_siglip):
    found = open_encoder(source("ViT-B-16-SigLIP", small_siglip), device="cpu").spec.preprocessing
    assert (found["mean"], found["resize_mode"]) == ([0.5] * 3, "squash")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that has the weights of one tag, for a small network under the tag's name."""
    served = tmp_path / "served"
    served.mkdir()
    networks.register(tmp_path / "table", ["tiny"], under="ViT-B-32")
    networks.save(networks.make_open_clip("ViT-B-32"), served / "open_clip_model.safetensors")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with serve_folder(served, name="laion/CLIP-ViT-B-32-laion2B-s34B-b79K") as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield served, asked
    networks.restore("ViT-B-32")


def test_weights_of_a_tag_come_from_the_hub_once(hub):
    served, asked = hub
    named = "open_clip:ViT-B-32/laion2b_s34b_b79k"
    found = open_encoder(named, device="cpu").encode(VIEWS, capture=BOTH)
    _, wanted, _ = library_call("ViT-B-32", served / "open_clip_model.safetensors", VIEWS)
    torch.testing.assert_close(found.embedding, wanted, rtol=0, atol=1e-6)
    asked.clear()
    open_encoder(named, device="cpu")
    assert asked == []
    (file,) = encoder_files(named)
    assert asked == []
    assert Path(file["path"]).read_bytes() == (served / "open_clip_model.safetensors").read_bytes()
    assert same_files(named, [file])
    os.utime(file["path"], ns=(1, 1))
    assert not same_files(named, [file])


def test_a_tag_that_has_only_a_pickle_needs_permission(hub):
    served, asked = hub
    (served / "open_clip_model.safetensors").unlink()
    networks.save(networks.make_open_clip("ViT-B-32"), served / "open_clip_pytorch_model.bin")
    named = "open_clip:ViT-B-32/laion2b_s34b_b79k"
    with pytest.raises(WeightsError, match="only as a pickle"):
        open_encoder(named, device="cpu")
    assert not any("pytorch_model" in path for path in asked)
    assert open_encoder(named, device="cpu", allow_pickle=True).spec.dim == 32


def test_a_tag_without_a_hub_is_told_the_way_out(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    told = r"hf download laion/CLIP-ViT-B-32-laion2B-s34B-b79K open_clip_model.*open_clip:ViT-B-32/FILE"
    with pytest.raises(OfflineError, match=told):
        open_encoder("open_clip:ViT-B-32/laion2b_s34b_b79k", device="cpu")


@pytest.mark.parametrize("name", ["tiny", "tiny-bias"])
def test_texts_are_embedded_as_the_library_does(name, open_clip_file):
    file, words = open_clip_file(name), ["a photo of a cat", "Zwölf Boxkämpfer", "one two " * 20]
    texts = open_texts(source(name, file), device="cpu")
    _, _, model = library_call(name, file, VIEWS)
    with torch.no_grad():
        wanted = model.encode_text(open_clip.get_tokenizer(name)(words), normalize=False)
    torch.testing.assert_close(texts.encode_texts(words), wanted, rtol=0, atol=1e-6)
    assert texts.count_cut(words) == 1
    assert texts.spec.scale == pytest.approx(float(model.logit_scale.detach().exp()))
    assert texts.spec.bias == (None if name == "tiny" else pytest.approx(-10))
    assert (texts.spec.context_length, texts.spec.dim) == (16, 32)


def test_a_siglip_that_states_no_tokenizer_is_refused(small_siglip):
    told = r"'ViT-B-16-SigLIP' states no tokenizer.*state hf_tokenizer_name.*text vectors of your own"
    with pytest.raises(MissingTokenizerError, match=told):
        open_texts(source("ViT-B-16-SigLIP", small_siglip), device="cpu")
