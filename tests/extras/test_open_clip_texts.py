"""Texts of open_clip's networks whose tokenizer is one of Hugging Face."""

import json
import shutil

import numpy as np
import open_clip
import pytest
import torch

from embshift.core.errors import (
    EncoderError,
    MissingTokenizerError,
    OfflineError,
    UsageError,
    WeightsError,
)
from embshift.encoders.texts.open import open_texts
from embshift.runs.explained import read_texts, read_texts_record
from embshift.show.run import open_run
from tests.extras import networks, tokenizers_made
from tests.integration.command import invoke
from tests.loopback_hub import serve_folder

SAVERS = {
    "tiny-siglip": tokenizers_made.save_unigram,
    "tiny-clipa": tokenizers_made.save_word_piece,
    "tiny-clips": tokenizers_made.save_word_piece,
    "tiny-roberta": tokenizers_made.save_byte_pairs,
    "tiny-coca": tokenizers_made.save_byte_pairs,
}
FITTING = {"tiny-siglip": 14, "tiny-clipa": 14, "tiny-clips": 13, "tiny-roberta": 14, "tiny-coca": 14}
"""Letters of one word that fit into 16 tokens, beside those that each tokenizer and open_clip add."""

TEXTS = ["a photo of a cat", "Don't: two_DOGS!", "one two " * 20, "Zwölf  Boxkämpfer"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return the folder of a small network: weights, their tokenizer, and a copy for open_clip itself."""
    found = {}

    def make(name):
        if name not in found:
            found[name] = _make(name, tmp_path_factory.mktemp(name))
        return found[name]

    return make


def _make(name, folder):
    stated = networks.describe(name)
    if "hf_model_name" in stated["text_cfg"]:
        tower = tokenizers_made.save_tower(folder / "tower")
        stated = {**stated, "text_cfg": {**stated["text_cfg"], "hf_model_name": str(tower)}}
    networks.add(folder / "table", name, stated)
    SAVERS[name](folder)
    networks.save(networks.make_open_clip(name), folder / "mine.safetensors")
    copy = folder / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        if file.is_file():
            shutil.copy(file, copy / file.name.replace("mine", "open_clip_model"))
    (copy / "open_clip_config.json").write_text(json.dumps({"model_cfg": stated, "preprocess_cfg": {}}))
    return folder


@pytest.fixture
def siglip(made, tmp_path):
    """A copy of a folder that a test may change."""
    return shutil.copytree(made("tiny-siglip"), tmp_path / "siglip")


def open_in(folder, name="tiny-siglip"):
    return open_texts(f"open_clip:{name}/{folder / 'mine.safetensors'}", device="cpu")


def state(folder, **fields):
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


@pytest.mark.parametrize("name", SAVERS)
def test_texts_are_embedded_as_the_library_does(name, made):
    folder = made(name)
    texts = open_in(folder, name)
    copy = f"local-dir:{folder / 'copy'}"
    model, tokenizer = open_clip.create_model(copy, pretrained_text=False), open_clip.get_tokenizer(copy)
    with torch.no_grad():
        wanted = model.eval().encode_text(tokenizer(TEXTS), normalize=False)
    found = texts.encode_texts(TEXTS)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)
    assert (found[0] - found[1]).abs().max() > 1e-2
    assert torch.equal(texts.encode_texts(TEXTS), found)
    assert (texts.spec.context_length, texts.spec.dim, len(texts.spec.tokenizer)) == (16, 32, 64)
    assert texts.spec.scale == pytest.approx(float(model.logit_scale.detach().exp()))


@pytest.mark.parametrize("name", SAVERS)
def test_a_text_is_cut_where_its_last_letter_changes_nothing(name, made):
    texts = open_in(made(name), name)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{made(name) / 'copy'}")
    words = "aeiou" * 5
    cut = [bool(texts.count_cut([words[:length]])) for length in range(1, len(words) + 1)]
    assert cut == [length > FITTING[name] for length in range(1, len(words) + 1)]
    for length in (FITTING[name] - 1, FITTING[name], FITTING[name] + 1):
        shorter, longer = tokenizer([words[:length], words[: length + 1]])
        assert torch.equal(shorter, longer) == (length >= FITTING[name])
    torch.testing.assert_close(
        *(texts.encode_texts([words[:length]]) for length in (FITTING[name], FITTING[name] + 9))
    )


def test_cleaning_is_that_of_the_settings(made):
    texts = open_in(made("tiny-siglip"))
    found = texts.encode_texts(["two dogs", "Two_DOGS?", "two  dogs."])
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    kept = open_in(made("tiny-roberta"), "tiny-roberta").encode_texts(["two dogs", "Two dogs"])
    assert not torch.equal(*kept)


def test_the_digest_is_of_the_files_and_the_settings(siglip, tmp_path):
    before = open_in(siglip).spec.tokenizer
    assert open_in(siglip).spec.tokenizer == before
    state(siglip, note="another")
    changed = open_in(siglip).spec.tokenizer
    stated = networks.describe("tiny-siglip")
    stated["text_cfg"] = {**stated["text_cfg"], "tokenizer_kwargs": {"clean": "lower"}}
    networks.add(tmp_path / "table", "tiny-lower", stated)
    other = open_in(siglip, "tiny-lower").spec.tokenizer
    assert len({before, changed, other}) == 3


def test_a_network_with_the_bundled_tokenizer_ignores_another_beside_it(open_clip_file, tmp_path):
    file = shutil.copy(open_clip_file("tiny"), tmp_path / "mine.safetensors")
    before = open_texts(f"open_clip:tiny/{file}", device="cpu").spec.tokenizer
    tokenizers_made.save_unigram(tmp_path)
    assert open_texts(f"open_clip:tiny/{file}", device="cpu").spec.tokenizer == before


def test_a_folder_may_be_the_tokenizer_s_name(siglip, tmp_path):
    kept = siglip / "copy"
    stated = networks.describe("tiny-siglip")
    stated["text_cfg"] = {**stated["text_cfg"], "hf_tokenizer_name": str(kept)}
    networks.add(tmp_path / "table", "tiny-folder", stated)
    wanted = open_in(siglip).encode_texts(TEXTS)
    (siglip / "tokenizer.json").unlink()
    assert torch.equal(open_in(siglip, "tiny-folder").encode_texts(TEXTS), wanted)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub that has a tokenizer, the configuration of a text tower, and weights that are never asked for."""
    served = tokenizers_made.save_tower(tokenizers_made.save_byte_pairs(tmp_path / "served"))
    (served / "model.safetensors").write_bytes(b"large")
    (served / "pytorch_model.bin").write_bytes(b"a pickle")
    (served / "own.py").write_text("raise SystemExit")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    stated = networks.describe("tiny-roberta")
    stated["text_cfg"] = {**stated["text_cfg"], "hf_model_name": "someone/tokenizer"}
    networks.add(tmp_path / "table", "tiny-hub", stated)
    with serve_folder(served, name="someone/tokenizer") as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield served, asked


@pytest.fixture
def alone(made, tmp_path):
    """The weights of a network without its tokenizer."""
    (tmp_path / "alone").mkdir()
    shutil.copy(made("tiny-roberta") / "mine.safetensors", tmp_path / "alone")
    return tmp_path / "alone"


def test_a_tokenizer_comes_from_the_hub_once(hub, alone, made):
    _, asked = hub
    found = open_in(alone, "tiny-hub").encode_texts(TEXTS)
    wanted = open_in(made("tiny-roberta"), "tiny-roberta").encode_texts(TEXTS)
    assert torch.equal(found, wanted)
    files = {path.rsplit("/", 1)[1] for path in asked if "/resolve/" in path}
    assert files == {"config.json", "tokenizer.json", "tokenizer_config.json"}
    asked.clear()
    open_in(alone, "tiny-hub")
    assert asked == []


def test_a_tokenizer_without_a_hub_is_told_the_way_out(hub, alone, monkeypatch):
    served, _ = hub
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    told = r"'tiny-hub' \(someone/tokenizer\) is not in .*hf download .*open_clip:tiny-hub/FILE.*--vectors"
    with pytest.raises(MissingTokenizerError, match=told):
        open_in(alone, "tiny-hub")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(served / name, alone)
    told = r"text tower of 'tiny-hub' is not in .*hf download someone/tokenizer config\.json'"
    with pytest.raises(OfflineError, match=told):
        open_in(alone, "tiny-hub")


def test_a_text_tower_that_names_code_is_refused(hub, alone):
    served, _ = hub
    stated = json.loads((served / "config.json").read_text())
    code = {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (served / "config.json").write_text(json.dumps({**stated, **code}))
    with pytest.raises(EncoderError, match=r"config\.json names code of its own \(auto_map\)"):
        open_in(alone, "tiny-hub")


def test_a_repository_without_a_tokenizer_is_named(hub, alone):
    served, _ = hub
    (served / "tokenizer.json").unlink()
    told = r"repository 'someone/tokenizer', .*'tiny-hub', has no tokenizer.*beside local weights"
    with pytest.raises(MissingTokenizerError, match=told):
        open_in(alone, "tiny-hub")


def test_a_repository_that_is_not_there_is_named(hub, alone, tmp_path):
    stated = networks.describe("tiny-siglip")
    stated["text_cfg"] = {**stated["text_cfg"], "hf_tokenizer_name": "someone/else"}
    networks.add(tmp_path / "table", "tiny-else", stated)
    with pytest.raises(EncoderError, match="has no repository 'someone/else'"):
        open_in(alone, "tiny-else")


def test_code_beside_a_tokenizer_never_runs(siglip, tmp_path):
    trace = tmp_path / "ran"
    (siglip / "own.py").write_text(f"open({str(trace)!r}, 'w').close()\nclass Own: pass\n")
    stated = networks.describe("tiny-siglip")
    options = {**stated["text_cfg"]["tokenizer_kwargs"], "trust_remote_code": True}
    stated["text_cfg"] = {**stated["text_cfg"], "tokenizer_kwargs": options}
    networks.add(tmp_path / "table", "tiny-trusting", stated)
    state(siglip, auto_map={"AutoTokenizer": ["own.Own", "own.Own"]}, tokenizer_class="Own")
    for name in ("tiny-siglip", "tiny-trusting"):
        with pytest.raises(MissingTokenizerError, match="opens without code of theirs"):
            open_in(siglip, name)
    assert not trace.exists()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"model": 3}'])
def test_a_damaged_tokenizer_is_named(siglip, content):
    (siglip / "tokenizer.json").write_text(content)
    with pytest.raises(MissingTokenizerError, match=r"tokenizer in '.*siglip' cannot be read .*download"):
        open_in(siglip)


def test_pieces_alone_need_a_package_and_a_pointer_is_no_file(siglip):
    (siglip / "tokenizer.json").unlink()
    (siglip / "spiece.model").write_bytes(b"pieces")
    state(siglip, tokenizer_class="T5Tokenizer")
    with pytest.raises(MissingTokenizerError, match=r"spiece\.model alone needs the packages sentencepiece"):
        open_in(siglip)
    (siglip / "tokenizer.json").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    with pytest.raises(WeightsError, match="Git LFS pointer"):
        open_in(siglip)


def test_what_a_tokenizer_lacks_is_told_at_once(siglip, tmp_path):
    state(siglip, pad_token=None)
    with pytest.raises(MissingTokenizerError, match="padding token"):
        open_in(siglip)
    with pytest.raises(MissingTokenizerError, match=r"cannot be read as the network states it"):
        open_in(siglip, "tiny-clips")


def test_a_tokenizer_of_another_network_is_refused(siglip):
    tokenizers_made.save_unigram(siglip, known="▁abcdefghijklmnopqrstuvwxyz" + "äöüßéèêàâçñøåæœ" * 3)
    texts = open_in(siglip)
    assert texts.encode_texts(["a photo"]).isfinite().all()
    more = "".join(chr(code) for code in range(0x4E00, 0x4E40))
    tokenizers_made.save_unigram(siglip, known=f"▁abc{more}")
    with pytest.raises(EncoderError, match=r"does not fit the network: '.*' becomes the token 69, and .* 64"):
        open_in(siglip).encode_texts([more[-1]])


@pytest.mark.parametrize(
    ("way", "told"),
    [("simple", "at random"), ("random", "at random"), ("shuffle", "at random"), ("syntax", "NLTK")],
)
def test_tokenizers_that_do_not_repeat_are_refused(way, told, open_clip_file, tmp_path):
    stated = networks.describe("tiny")
    stated["text_cfg"] = {**stated["text_cfg"], "tokenizer_kwargs": {"reduction_mask": way}}
    networks.add(tmp_path / "table", f"tiny-{way}", stated)
    if way != "syntax":  # the library has no other way of reading texts in evaluation
        text = [" ".join(f"{number} cats" for number in range(99))]
        tokenizer = open_clip.get_tokenizer(f"tiny-{way}")
        assert any(not torch.equal(tokenizer(text), tokenizer(text)) for _ in range(9))
    with pytest.raises(MissingTokenizerError, match=rf"reduction_mask: {way}\) .*{told}.*--vectors"):
        open_texts(f"open_clip:tiny-{way}/{open_clip_file('tiny')}", device="cpu")


def test_weights_are_looked_for_before_a_tokenizer(tmp_path):
    with pytest.raises(UsageError, match="names no weights"):
        open_texts("open_clip:ViT-B-16-SigLIP", device="cpu")
    with pytest.raises(WeightsError, match="is no file"):
        open_texts(f"open_clip:ViT-B-16-SigLIP/{tmp_path}/none.pt", device="cpu")


def test_labels_of_a_sweep_are_embedded(made, samples, tmp_path):
    folder, names = made("tiny-siglip"), ("crab", "cat", "dog")
    for name in names:
        (tmp_path / "in" / name).mkdir(parents=True)
        shutil.copy(samples / f"{name}.jpg", tmp_path / "in" / name)
    source, out = f"open_clip:tiny-siglip/{folder / 'mine.safetensors'}", str(tmp_path / "run")
    asked = ("--transforms", "blur", "--severities", "1", "5", "--workers", "0", "--image-size", "64")
    result = invoke("sweep", str(tmp_path / "in"), "--encoder", source, "--out", out, *asked)
    assert result.returncode == 0, result.stderr
    result = invoke("explain", out, "--labels", "folders", "--prompt", "a {}", "--format", "json")
    assert result.returncode == 0, result.stderr
    run = open_run(out)
    texts, _, vectors = read_texts(run.folder, "label", fingerprint=run.info["fingerprint"])
    assert set(texts) == set(names)
    wanted = open_in(folder).encode_texts([f"a {text}" for text in texts]).numpy()
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(vectors, wanted, atol=1e-6)
    assert read_texts_record(run.folder)["bias"] == pytest.approx(-10)


def test_words_of_a_run_need_no_look_into_the_network(made, samples, tmp_path):
    folder, out = made("tiny-siglip"), str(tmp_path / "run")
    (tmp_path / "in").mkdir()
    for name in ("crab", "cat", "dog"):
        shutil.copy(samples / f"{name}.jpg", tmp_path / "in")
    (tmp_path / "words.txt").write_text("a cat\nsea\nnight\n")
    source = f"open_clip:tiny-siglip/{folder / 'mine.safetensors'}"
    asked = ("--transform", "blur", "--metric", "cosine", "--workers", "0", "--image-size", "64")
    result = invoke("run", str(tmp_path / "in"), "--encoder", source, "--out", out, *asked)
    assert result.returncode == 0, result.stderr
    result = invoke("explain", out, "--show", "words", "--words", str(tmp_path / "words.txt"))
    assert result.returncode == 0, result.stderr
    run = open_run(out)
    texts, _, _ = read_texts(run.folder, "word", fingerprint=run.info["fingerprint"])
    assert set(texts) == {"a cat", "sea", "night"}
    result = invoke("explain", out, "--show", "shares")
    assert result.returncode == 2
    assert "--show words" in result.stderr
