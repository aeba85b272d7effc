"""Text sides: what is refused and why, which weights are read, and what is never run."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from embshift.core.errors import (
    EncoderError,
    MissingTokenizerError,
    NoTextSideError,
    UsageError,
    WeightsError,
)
from embshift.encoders.texts.families import open_text_weights
from embshift.encoders.texts.open import open_texts
from tests.unit.encoders.families import make_checkpoint
from tests.unit.encoders.text_families import make_text_checkpoint, write_tokenizer


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return make_text_checkpoint("clip", tmp_path_factory.mktemp("whole") / "clip")


@pytest.fixture
def clip(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "clip")


def rewrite(folder, change, file="model.safetensors"):
    tensors = load_file(folder / file)
    save_file(change(tensors), folder / file, metadata={"format": "pt"})


def state(folder, **fields):
    file = folder / "tokenizer_config.json"
    stated = json.loads(file.read_text(encoding="utf-8")) | fields
    file.write_text(json.dumps(stated), encoding="utf-8")


@pytest.mark.parametrize(
    "family", ["dinov2", "dinov3", "vit", "aimv2-head", "clip-vision-projected", "siglip-vision"]
)
def test_encoders_without_a_text_side_are_refused(family, tmp_path):
    folder = make_checkpoint(family, tmp_path / family)
    with pytest.raises(NoTextSideError, match=r"cannot embed words; use a checkpoint of CLIP, .*of your own"):
        open_texts(str(folder), device="cpu")


def test_names_that_no_encoder_has_are_refused():
    with pytest.raises(UsageError, match="did you mean 'lite'"):
        open_texts("lit", device="cpu")


def test_only_the_text_side_s_weights_are_read(clip):
    found = open_text_weights(clip, source="clip", allow_pickle=False).tensors
    assert {name.partition(".")[0] for name in found} == {"text_model", "text_projection", "logit_scale"}


def test_weights_under_a_wrapper_s_name_are_read(whole, clip):
    rewrite(clip, lambda tensors: {f"module.{name}": one for name, one in tensors.items()})
    found = [open_texts(str(one), device="cpu").encode_texts(["a dog"]) for one in (whole, clip)]
    torch.testing.assert_close(*found)


def test_a_pickle_needs_permission(whole, clip):
    torch.save(load_file(clip / "model.safetensors"), clip / "pytorch_model.bin")
    (clip / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="--allow-pickle"):
        open_texts(str(clip), device="cpu")
    found = open_texts(str(clip), device="cpu", allow_pickle=True).encode_texts(["a dog"])
    torch.testing.assert_close(found, open_texts(str(whole), device="cpu").encode_texts(["a dog"]))


@pytest.mark.parametrize(
    ("part", "error", "told"),
    [
        ("text_", NoTextSideError, r"hold no text tower \(no tensor named text_model\.…\).*both towers"),
        ("text_model.encoder.layers.1.", WeightsError, "the checkpoint lacks encoder.layers.1."),
        ("text_projection", WeightsError, "lacks text_projection.weight; use one .* both projections"),
        ("logit_scale", WeightsError, "has no finite logit_scale; use one .* both towers"),
    ],
)
def test_what_the_weights_lack_is_named(clip, part, error, told):
    rewrite(clip, lambda tensors: {name: one for name, one in tensors.items() if not name.startswith(part)})
    with pytest.raises(error, match=told):
        open_texts(str(clip), device="cpu")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("text_projection.weight", torch.zeros(24, 7), r"is \(24, 7\); expected finite values, \(dim, 32\)"),
        ("text_projection.weight", torch.full((24, 32), torch.nan), "expected finite values"),
        ("logit_scale", torch.tensor(torch.nan), "no finite logit_scale"),
        ("text_model.final_layer_norm.weight", torch.full((32,), torch.inf), "not finite numbers"),
        (
            "text_model.embeddings.token_embedding.weight",
            torch.zeros(50, 32),
            r"is \(50, 32\), not \(64, 32\)",
        ),
        (
            "text_model.encoder.layers.2.mlp.fc1.weight",
            torch.zeros(48, 32),
            "does not state: encoder.layers.2",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(clip, name, value, told):
    rewrite(clip, lambda tensors: {**tensors, name: value})
    with pytest.raises(WeightsError, match=told):
        open_texts(str(clip), device="cpu")


def test_a_missing_tokenizer_is_explained(clip):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (clip / name).unlink()
    told = "has no tokenizer; expected tokenizer.json, or vocab.json and merges.txt, .*save_pretrained"
    with pytest.raises(MissingTokenizerError, match=told):
        open_texts(str(clip), device="cpu")
    (clip / "spiece.model").write_bytes(b"pieces")
    with pytest.raises(MissingTokenizerError, match=r"its spiece\.model needs the package sentencepiece"):
        open_texts(str(clip), device="cpu")


def test_vocabulary_and_merges_do_as_well(whole, clip):
    stated = json.loads((clip / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    (clip / "vocab.json").write_text(json.dumps(stated["vocab"]), encoding="utf-8")
    (clip / "merges.txt").write_text("#version: 0.2\nd o\n", encoding="utf-8")
    (clip / "tokenizer.json").unlink()
    first, second = (open_texts(str(folder), device="cpu") for folder in (whole, clip))
    torch.testing.assert_close(first.encode_texts(["a dog"]), second.encode_texts(["a dog"]))
    assert first.spec.tokenizer != second.spec.tokenizer


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("tokenizer.json", "{", "cannot be read"),
        ("tokenizer.json", '{"model": 3}', "cannot be read"),
        ("tokenizer_config.json", "{", "cannot be read as JSON"),
        ("tokenizer.json", "version https://git-lfs.github.com/spec/v1", "Git LFS pointer"),
    ],
)
def test_a_damaged_tokenizer_is_named(clip, file, content, told):
    (clip / file).write_text(content, encoding="utf-8")
    with pytest.raises(EncoderError, match=told):
        open_texts(str(clip), device="cpu")


def test_code_in_the_folder_is_not_run(clip, tmp_path):
    trace = tmp_path / "ran"
    (clip / "own.py").write_text(f"open({str(trace)!r}, 'w').close()\nclass Own: pass\n", encoding="utf-8")
    state(clip, auto_map={"AutoTokenizer": ["own.Own", None]}, tokenizer_class="Own")
    assert open_texts(str(clip), device="cpu").encode_texts(["a dog"]).isfinite().all()
    assert not trace.exists()


def test_a_tokenizer_of_another_checkpoint_is_refused(clip):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (clip / name).unlink()
    write_tokenizer("siglip2", clip)
    with pytest.raises(EncoderError, match=r"the tokenizer does not fit the text tower: 'a dog' becomes"):
        open_texts(str(clip), device="cpu").encode_texts(["a dog"])


def test_a_siglip_tokenizer_without_padding_is_refused(tmp_path):
    folder = make_text_checkpoint("siglip", tmp_path / "siglip")
    state(folder, pad_token=None)
    with pytest.raises(MissingTokenizerError, match="names no padding token"):
        open_texts(str(folder), device="cpu")


@pytest.mark.parametrize(
    ("family", "alike", "other"),
    [
        ("clip", ("A  Dog", "a dog"), ("a dog!", "a dog")),
        ("siglip", ("A  dog!", "a dog"), ("a dog", "a cat")),
        ("siglip2", ("A DOG", "a dog"), ("a dog!", "a dog")),
        ("metaclip2", ("a dog", "a dog"), ("a DOG", "a dog")),
    ],
)
def test_case_and_punctuation_are_read_as_in_training(family, alike, other, tmp_path):
    texts = open_texts(str(make_text_checkpoint(family, tmp_path / family)), device="cpu")
    assert torch.equal(*texts.encode_texts(alike))
    assert not torch.equal(*texts.encode_texts(other))


def test_siglip_2_in_the_first_form_reads_lower_case_with_punctuation(tmp_path):
    """Its checkpoints of one resolution have the first SigLIP's type, and the tokenizer of Gemma."""
    folder = make_text_checkpoint("siglip", tmp_path / "siglip")
    state(folder, tokenizer_class="PreTrainedTokenizerFast")
    texts = open_texts(str(folder), device="cpu")
    assert torch.equal(*texts.encode_texts(["a DOG", "a dog"]))
    assert not torch.equal(*texts.encode_texts(["a dog!", "a dog"]))
