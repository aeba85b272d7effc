"""Weights of checkpoints: which are read, which are refused, and the messages."""

import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from embshift.core.errors import EncoderError, WeightsError
from embshift.core.types import Capture
from embshift.encoders import checkpoints
from embshift.encoders.open import open_encoder
from tests.unit.encoders.families import make_checkpoint

VIEWS = np.random.default_rng(2).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path):
    return make_checkpoint("clip", tmp_path / "clip")


def embedding(folder, **options):
    encoder = open_encoder(str(folder), device="cpu", **options)
    return encoder.encode(VIEWS, capture=Capture.EMBEDDING).embedding


def change(folder, edit):
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def as_pickle(folder):
    file = folder / "pytorch_model.bin"
    torch.save(load_file(folder / "model.safetensors"), file)
    (folder / "model.safetensors").unlink()
    return file


def test_digest_is_the_file_s(folder):
    expected = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert open_encoder(str(folder), device="cpu").spec.digest == expected


def test_shards_are_one_checkpoint(folder, tmp_path):
    shards = make_checkpoint("clip", tmp_path / "shards", max_shard_size="40KB")
    files = sorted(shards.glob("model-*.safetensors"))
    assert len(files) > 1
    assert not (shards / "model.safetensors").exists()
    assert torch.equal(embedding(shards), embedding(folder))
    expected = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    assert open_encoder(str(shards), device="cpu").spec.digest == expected
    files[-1].unlink()
    with pytest.raises(WeightsError, match=f"lacks {files[-1].name}, named in model.safetensors.index.json"):
        embedding(shards)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd"])
def test_an_index_stays_in_its_folder(folder, name):
    (folder / "model.safetensors").rename(folder.parent / "model.safetensors")
    index = {"weight_map": {"a": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(WeightsError, match="lacks"):
        embedding(folder)


def test_an_unpinned_pickle_is_refused(folder):
    expected = embedding(folder)
    file = as_pickle(folder)
    with pytest.raises(WeightsError, match=r"a pickle .* it is not pinned; .*--allow-pickle"):
        embedding(folder)
    assert torch.equal(embedding(folder, allow_pickle=True), expected)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert open_encoder(str(folder), device="cpu", allow_pickle=True).spec.digest == digest


def test_a_pinned_pickle_is_read(folder, monkeypatch):
    expected = embedding(folder)
    digest = hashlib.sha256(as_pickle(folder).read_bytes()).hexdigest()
    monkeypatch.setitem(checkpoints.PINNED, digest, "a test")
    assert torch.equal(embedding(folder), expected)


def test_safetensors_come_first(folder):
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    assert embedding(folder).shape == (2, 24)


class Harmful:
    def __reduce__(self):
        return Path.touch, (Path("harmed"),)


def test_an_allowed_pickle_runs_nothing(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({"a": Harmful()}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="cannot be read as weights only"):
        embedding(folder, allow_pickle=True)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Harmful(), protocol=2))
    with pytest.raises(WeightsError, match="cannot be read as weights only"):
        embedding(folder, allow_pickle=True)
    assert not (tmp_path / "harmed").exists()


def test_a_pickle_of_something_else_is_refused(folder):
    (folder / "model.safetensors").unlink()
    torch.save([torch.zeros(2)], folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="does not hold named tensors"):
        embedding(folder, allow_pickle=True)


def test_truncated_weights_are_refused(folder):
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    for size in (len(whole) - 5, len(whole) // 2, 20, 4, 0):
        file.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match="damaged or truncated"):
            embedding(folder)


def test_an_altered_header_is_refused(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes().replace(b'"dtype":"F32"', b'"dtype":"F99"', 1))
    with pytest.raises(WeightsError, match="damaged"):
        embedding(folder)


def test_a_missing_weight_is_refused(folder):
    change(folder, lambda tensors: tensors.pop("vision_model.post_layernorm.weight"))
    with pytest.raises(WeightsError, match=r"lacks .*post_layernorm\.weight"):
        embedding(folder)


def test_a_missing_projection_is_refused(folder):
    change(folder, lambda tensors: tensors.pop("visual_projection.weight"))
    with pytest.raises(WeightsError, match=r"lacks visual_projection\.weight"):
        embedding(folder)


def test_a_weight_of_another_shape_is_refused(folder):
    change(folder, lambda tensors: tensors.update({"visual_projection.weight": torch.zeros(24, 31)}))
    with pytest.raises(WeightsError, match=r"visual_projection\.weight is \(24, 31\), not \(24, 32\)"):
        embedding(folder)


def test_a_weight_of_another_type_is_refused(folder):
    name = "vision_model.encoder.layers.0.mlp.fc1.weight"
    change(folder, lambda tensors: tensors.update({name: tensors[name].to(torch.int8)}))
    with pytest.raises(WeightsError, match=r"unexpected type: .*fc1\.weight \(int8\)"):
        embedding(folder)


def test_a_weight_that_is_no_number_is_refused(folder):
    change(folder, lambda tensors: tensors["visual_projection.weight"][0].fill_(float("nan")))
    with pytest.raises(WeightsError, match="not finite"):
        embedding(folder)


def test_a_missing_text_tower_is_fine(folder):
    expected = embedding(folder)

    def cut(tensors):
        for name in [name for name in tensors if name.startswith("text")]:
            del tensors[name]

    change(folder, cut)
    assert torch.equal(embedding(folder), expected)


def test_half_precision_is_loaded_as_float32(folder):
    change(folder, lambda tensors: tensors.update({k: v.half() for k, v in tensors.items()}))
    encoder = open_encoder(str(folder), device="cpu")
    assert {values.dtype for values in encoder.network.parameters()} == {torch.float32}
    assert encoder.encode(VIEWS, capture=Capture.EMBEDDING).embedding.dtype == torch.float32


def test_more_blocks_than_stated_are_refused(folder):
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["vision_config"]["num_hidden_layers"] = 2
    file.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"blocks that config\.json does not state"):
        embedding(folder)


def test_no_weights_at_all(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"has no weights; expected model\.safetensors"):
        embedding(folder)


def test_code_in_a_folder_is_not_run(folder, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    expected = embedding(folder)
    (folder / "own.py").write_text("import pathlib\npathlib.Path('harmed').touch()\n")
    for name, key in (("config.json", "AutoModel"), ("preprocessor_config.json", "AutoImageProcessor")):
        stated = json.loads((folder / name).read_text())
        stated["auto_map"] = {key: "own.Own", "AutoConfig": "own.Own"}
        (folder / name).write_text(json.dumps(stated))
    assert torch.equal(embedding(folder), expected)
    assert not (tmp_path / "harmed").exists()


def test_quantised_weights_are_refused(folder):
    stated = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**stated, "quantization_config": {"bits": 4}}))
    with pytest.raises(EncoderError, match="quantised"):
        embedding(folder)


def test_a_config_that_is_not_one(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(EncoderError, match="cannot be read as JSON"):
        embedding(folder)
    (folder / "config.json").write_text("{}")
    with pytest.raises(EncoderError, match="has no model_type"):
        embedding(folder)
    stated = {"model_type": "clip", "vision_config": {"hidden_size": "wide"}}
    (folder / "config.json").write_text(json.dumps(stated))
    with pytest.raises(EncoderError, match=r"config\.json is not that of a clip encoder"):
        embedding(folder)


def test_an_altered_file_of_the_cache_is_refused(folder):
    blob = folder / ("0" * 64)
    (folder / "model.safetensors").rename(blob)
    (folder / "model.safetensors").symlink_to(blob)
    with pytest.raises(WeightsError, match="is not what was downloaded"):
        embedding(folder)
    right = folder / hashlib.sha256(blob.read_bytes()).hexdigest()
    blob.rename(right)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(right)
    assert embedding(folder).shape == (2, 24)


def test_the_paper_s_encoder_is_pinned():
    digest = "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f"
    assert "openai/clip-vit-base-patch32" in checkpoints.PINNED[digest]
