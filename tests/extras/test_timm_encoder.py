"""Encoders of timm give what the library's own calls give."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image

import embshift
from embshift.core.encoding import Encoder
from embshift.core.errors import NoTextSideError, OfflineError, UnknownNameError, UsageError, WeightsError
from embshift.core.types import Capture
from embshift.encoders.open import open_encoder
from embshift.encoders.texts.open import open_texts
from embshift.measurement.session.encoder_files import encoder_files, same_files
from tests.extras import networks
from tests.integration.command import call, invoke
from tests.loopback_hub import serve_folder

BOTH = Capture.EMBEDDING | Capture.ATTENTION
VIEWS = np.random.default_rng(1).integers(0, 256, (5, 70, 70, 3), dtype=np.uint8)
NAMES = (*networks.TIMM_WITH_CLASS_TOKEN, "test_vit3", *networks.TIMM_WITHOUT_MAP)


def source(name, file):
    return f"timm:{name}/{file}"


def library_call(name, file, views):
    """What the library itself gives: inputs, embeddings, and the model."""
    model = timm.create_model(name, checkpoint_path=file).eval()
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    inputs = torch.stack([prepare(Image.fromarray(view)) for view in views])
    with torch.no_grad():
        return inputs, model.forward_head(model.forward_features(inputs), pre_logits=True), model


@pytest.mark.parametrize("name", NAMES)
def test_embeddings_are_the_library_s_own(name, timm_file, views):
    file = timm_file(name)
    encoder = open_encoder(source(name, file), device="cpu")
    assert isinstance(encoder, Encoder)
    _, wanted, _ = library_call(name, file, views)
    found = encoder.encode(views, capture=BOTH)
    torch.testing.assert_close(found.embedding, wanted, rtol=1e-6, atol=1e-6)
    assert found.embedding.shape == (5, encoder.spec.dim)
    assert torch.equal(encoder.encode(views, capture=Capture.EMBEDDING).embedding, found.embedding)
    assert len(encoder.spec.digest) == len(encoder.spec.config) == 64


@pytest.mark.parametrize("name", networks.TIMM_WITH_CLASS_TOKEN)
def test_the_map_is_that_of_eager_attention(name, timm_file, views):
    file = timm_file(name)
    encoder = open_encoder(source(name, file), device="cpu")
    found = encoder.encode(views, capture=BOTH)
    inputs, _, model = library_call(name, file, views)
    attention, seen = model.blocks[-1].attn, []
    attention.fused_attn = False
    attention.attn_drop.register_forward_hook(lambda _, given, output: seen.append(output))
    with torch.no_grad():
        model(inputs)
    wanted = seen[0][:, :, 0, model.num_prefix_tokens :]
    torch.testing.assert_close(found.attention, wanted, rtol=0, atol=1e-5)
    assert wanted.std() > 1e-5  # a map that is the same everywhere would hide an error
    assert found.grid == model.patch_embed.grid_size
    assert (encoder.spec.heads, encoder.spec.map_name) == (attention.num_heads, "attention map")


def test_the_map_of_rotary_positions_is_that_of_eager_attention(timm_file):
    test_the_map_is_that_of_eager_attention(networks.TIMM_ROTARY, timm_file, VIEWS)


def test_a_pool_s_probe_gives_the_map(timm_file, views):
    file = timm_file("test_vit3")
    found = open_encoder(source("test_vit3", file), device="cpu").encode(views, capture=BOTH)
    inputs, _, model = library_call("test_vit3", file, views)
    pool, seen = model.attn_pool, []
    pool.register_forward_hook(lambda _, given, output: seen.append(given[0]))
    with torch.no_grad():
        model(inputs)
    wanted = networks.compute_probe_row(pool, seen[0])[..., -100:]
    torch.testing.assert_close(found.attention.double(), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", networks.TIMM_WITHOUT_MAP)
def test_networks_without_a_class_token_have_no_map(name, timm_file):
    encoder = open_encoder(source(name, timm_file(name)), device="cpu")
    assert (encoder.spec.map_name, encoder.spec.map_source, encoder.spec.heads) == ("", "", 0)
    assert encoder.encode(VIEWS, capture=BOTH).attention is None


@pytest.mark.parametrize("name", NAMES)
def test_neighbours_in_a_batch_change_nothing(name, timm_file):
    encoder = open_encoder(source(name, timm_file(name)), device="cpu")
    together = encoder.encode(VIEWS, capture=BOTH)
    turned = encoder.encode(VIEWS[::-1].copy(), capture=BOTH)
    assert torch.equal(together.embedding, turned.embedding.flip(0))
    if together.attention is not None:
        assert torch.equal(together.attention, turned.attention.flip(0))


@pytest.mark.parametrize("classes", [0, 10])
def test_another_or_no_classifier_changes_nothing(tmp_path, classes):
    network = networks.make_timm("test_resnet", num_classes=classes)
    file = networks.save(network, tmp_path / "tuned.safetensors")
    encoder = open_encoder(source("test_resnet", file), device="cpu")
    prepare = timm.data.create_transform(**timm.data.resolve_model_data_config(network), is_training=False)
    inputs = torch.stack([prepare(Image.fromarray(view)) for view in VIEWS])
    with torch.no_grad():
        wanted = network.forward_head(network.forward_features(inputs), pre_logits=True)
    found = encoder.encode(VIEWS, capture=BOTH).embedding
    torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6)


def test_a_training_checkpoint_is_read_with_permission(tmp_path, timm_file):
    file = networks.save(networks.make_timm("test_vit"), tmp_path / "last.pth.tar.pt")
    with pytest.raises(WeightsError, match=r"is a pickle .*--allow-pickle"):
        open_encoder(source("test_vit", file), device="cpu")
    found = open_encoder(source("test_vit", file), device="cpu", allow_pickle=True)
    wanted = open_encoder(source("test_vit", timm_file("test_vit")), device="cpu")
    assert torch.equal(
        found.encode(VIEWS, capture=BOTH).embedding, wanted.encode(VIEWS, capture=BOTH).embedding
    )


def test_names_that_timm_does_not_have_are_explained():
    with pytest.raises(UnknownNameError, match=r"unknown network of timm 'resnet5'; did you mean"):
        open_encoder("timm:resnet5", device="cpu")
    with pytest.raises(UnknownNameError, match=r"'resnet50\.a1_in2k'; did you mean .*resnet50\.a1_in1k"):
        open_encoder("timm:resnet50.a1_in2k", device="cpu")
    with pytest.raises(UnknownNameError):
        open_encoder("timm:hf-hub:someone/file.pt", device="cpu")
    with pytest.raises(
        UsageError, match=r"no weights of 'cspresnet50d'; .*checkpoint: timm:cspresnet50d/FILE"
    ):
        open_encoder("timm:cspresnet50d", device="cpu")


def test_weights_of_another_network_are_refused(timm_file):
    with pytest.raises(WeightsError, match="are not those of 'test_resnet'"):
        open_encoder(source("test_resnet", timm_file("test_vit")), device="cpu")
    with pytest.raises(WeightsError, match="are not those of 'test_vit2'"):
        open_encoder(source("test_vit2", timm_file("test_efficientnet")), device="cpu")


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
@pytest.mark.parametrize("content", [b"", b"garbage"])
def test_a_damaged_file_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        open_encoder(source("test_vit", tmp_path / name), device="cpu", allow_pickle=True)


def test_there_is_no_text_side(timm_file):
    with pytest.raises(NoTextSideError):
        open_texts(source("test_vit", timm_file("test_vit")), device="cpu")


@pytest.fixture
def hub(tmp_path, monkeypatch, timm_file):
    """A hub that has the default weights of a small network."""
    served = tmp_path / "served"
    served.mkdir()
    (served / "model.safetensors").write_bytes(timm_file("test_vit").read_bytes())
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with serve_folder(served, name=timm.get_pretrained_cfg("test_vit").hf_hub_id) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield asked


def test_the_default_weights_come_from_the_hub_once(hub, timm_file):
    found = open_encoder("timm:test_vit", device="cpu").encode(VIEWS, capture=BOTH)
    wanted = open_encoder(source("test_vit", timm_file("test_vit")), device="cpu")
    assert torch.equal(found.embedding, wanted.encode(VIEWS, capture=BOTH).embedding)
    hub.clear()
    open_encoder("timm:test_vit.r160_in1k", device="cpu")
    assert hub == []


def test_a_finished_run_of_downloaded_weights_is_answered_without_the_library(
    hub, samples, tmp_path, monkeypatch
):
    (tmp_path / "in").mkdir()
    shutil.copy(samples / "cat.jpg", tmp_path / "in")
    quick = ("--transform", "blur", "--metric", "cosine", "--workers", "0", "--image-size", "64")
    asked = (
        "run",
        str(tmp_path / "in"),
        "--encoder",
        "timm:test_vit",
        "--out",
        str(tmp_path / "run"),
        *quick,
    )
    first = invoke(*asked)
    assert first.returncode == 0, first.stderr
    (stated,) = embshift.open_run(tmp_path / "run").info["encoder_files"]
    assert Path(stated["path"]).read_bytes() == (tmp_path / "served" / "model.safetensors").read_bytes()
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # every import is then a line on stderr
    again = call(*asked)
    assert "nothing left to do" in again.stderr
    loaded = {line.rsplit("|", 1)[-1].strip() for line in again.stderr.splitlines()}
    assert "embshift" in loaded
    assert not loaded & {"torch", "timm"}
    assert same_files("timm:test_vit", [stated])
    os.utime(stated["path"], ns=(1, 1))
    assert not same_files("timm:test_vit", [stated])


def test_weights_without_a_hub_are_told_the_way_out(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(OfflineError, match=r"hf download timm/test_vit\.r160_in1k model.*timm:test_vit/FILE"):
        open_encoder("timm:test_vit", device="cpu")
    assert encoder_files("timm:test_vit") is None
