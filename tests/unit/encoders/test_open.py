"""Opening an encoder by name, with and without a hub that answers."""

import shutil
import socket
import threading

import numpy as np
import pytest
import torch

from embshift.core.errors import (
    EncoderError,
    MissingTokenizerError,
    OfflineError,
    UnknownNameError,
    UsageError,
    WeightsError,
)
from embshift.core.types import Capture
from embshift.encoders import ENCODERS, checkpoints, hub
from embshift.encoders.open import choose_device, find_entry, open_encoder
from embshift.encoders.texts.open import open_texts
from tests.loopback_hub import hash_file, serve_folder
from tests.unit.encoders.families import FAMILIES, make_checkpoint
from tests.unit.encoders.text_families import write_tokenizer

NAME = "someone/small-clip"
VIEWS = np.random.default_rng(2).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """An empty cache, and a hub at a port on which nothing listens."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        yield tmp_path / "cache"


@pytest.fixture
def silent_hub(monkeypatch):
    """A hub that accepts connections but never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield


@pytest.fixture
def small_hub(tmp_path, monkeypatch):
    """A hub that has one repository: its folder, and the list of requested paths."""
    folder = make_checkpoint("clip", tmp_path / "served")
    (folder / "README.md").write_text("not wanted")
    with serve_folder(folder, name=NAME) as (address, asked):
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield folder, asked


def fill(cache, folder):
    snapshot = cache / "models--someone--small-clip" / "snapshots" / ("c" * 40)
    shutil.copytree(folder, snapshot)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("c" * 40)
    return snapshot


def embedding(source, **options):
    return open_encoder(source, device="cpu", **options).encode(VIEWS, capture=Capture.EMBEDDING).embedding


def test_a_refused_connection_is_explained():
    with pytest.raises(
        OfflineError, match=r"(?s)'someone/small-clip' .*not answer.*--encoder lite.*--encoder FOLDER"
    ):
        open_encoder(NAME, device="cpu")


def test_offline_by_choice(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(OfflineError, match="OfflineModeIsEnabled"):
        open_encoder(NAME, device="cpu")


@pytest.mark.usefixtures("silent_hub")
def test_a_connection_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(hub, "REPLY_S", 2.2)
    with pytest.raises(OfflineError, match=r"(?s)not answer.*--encoder lite.*--encoder FOLDER"):
        open_encoder(NAME, device="cpu")


def test_a_name_server_that_hangs_is_given_up(monkeypatch):
    release, returned = threading.Event(), threading.Event()

    def hang(*_, **__):
        release.wait()
        returned.set()

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", hang)
    monkeypatch.setattr(hub, "REPLY_S", 0.3)
    with pytest.raises(OfflineError, match="no answer in 0 s"):
        open_encoder(NAME, device="cpu")
    assert not returned.is_set()
    release.set()


def test_the_cache_needs_no_connection(empty_cache, tmp_path, monkeypatch):
    folder = make_checkpoint("clip", tmp_path / "clip")
    fill(empty_cache, folder)
    expected = embedding(str(folder))

    def refuse(*_):
        raise AssertionError("no connection is needed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert torch.equal(embedding(NAME), expected)
    assert open_encoder(NAME, device="cpu").spec.name == NAME


def test_half_a_download_is_not_a_checkpoint(empty_cache, tmp_path):
    snapshot = fill(empty_cache, make_checkpoint("clip", tmp_path / "clip", max_shard_size="40KB"))
    assert hub.resolve_hub_name(NAME) == snapshot
    next(snapshot.glob("model-*.safetensors")).unlink()
    with pytest.raises(OfflineError):
        hub.resolve_hub_name(NAME)


def test_a_download(small_hub):
    folder, asked = small_hub
    assert torch.equal(embedding(NAME), embedding(str(folder)))
    fetched = {path.rsplit("/", 1)[1] for path in asked if "/resolve/" in path}
    assert fetched == {"config.json", "preprocessor_config.json", "model.safetensors"}
    asked.clear()
    assert embedding(NAME).shape == (2, 24)
    assert asked == []


def test_a_tokenizer_is_downloaded_once_texts_are_wanted(small_hub):
    folder, asked = small_hub
    write_tokenizer("clip", folder)
    embedding(NAME)
    asked.clear()
    found = open_texts(NAME, device="cpu").encode_texts(["a dog"])
    torch.testing.assert_close(found, open_texts(str(folder), device="cpu").encode_texts(["a dog"]))
    fetched = {path.rsplit("/", 1)[1] for path in asked if "/resolve/" in path}
    assert fetched == {"tokenizer.json", "tokenizer_config.json"}
    asked.clear()
    open_texts(NAME, device="cpu")
    assert asked == []


def test_a_repository_without_a_tokenizer_is_explained(small_hub):
    del small_hub
    with pytest.raises(MissingTokenizerError, match=r"has no tokenizer; expected tokenizer\.json"):
        open_texts(NAME, device="cpu")


def test_a_cache_without_a_tokenizer_is_explained(tmp_path):
    fill(tmp_path / "cache", make_checkpoint("clip", tmp_path / "clip"))
    with pytest.raises(MissingTokenizerError, match=r"not in the local cache.*hf download .* --local-dir"):
        open_texts(NAME, device="cpu")


def test_a_download_in_shards(small_hub, tmp_path):
    folder, _ = small_hub
    (folder / "model.safetensors").unlink()
    make_checkpoint("clip", folder, max_shard_size="40KB")
    assert torch.equal(embedding(NAME), embedding(str(folder)))


def test_a_pickle_is_refused_before_it_is_fetched(small_hub, monkeypatch):
    folder, asked = small_hub
    (folder / "model.safetensors").unlink()
    torch.save(make_tensors(folder), folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="only as a pickle"):
        open_encoder(NAME, device="cpu")
    assert not any("pytorch_model" in path for path in asked)
    monkeypatch.setitem(checkpoints.PINNED, hash_file(folder / "pytorch_model.bin"), "a test")
    assert embedding(NAME).shape == (2, 24)


def make_tensors(folder):
    from tests.unit.encoders.families import reference_network

    return reference_network("clip").state_dict()


def test_one_file_of_a_repository_is_found_and_kept(small_hub, monkeypatch):
    folder, asked = small_hub
    wanted = ("open_clip_model.safetensors", "model.safetensors", "pytorch_model.bin")
    found = hub.find_hub_file(NAME, wanted)
    assert hash_file(found) == hash_file(folder / "model.safetensors")
    asked.clear()
    assert hub.find_hub_file(NAME, wanted) == found
    assert asked == []
    with pytest.raises(WeightsError, match=r"'someone/small-clip' has no open_clip_model\.safetensors$"):
        hub.find_hub_file(NAME, wanted[:1])


@pytest.mark.parametrize("name", ["open_clip_pytorch_model.bin", "weights.pt", "weights.pth"])
def test_one_pickle_of_a_repository_is_refused_before_it_is_fetched(small_hub, name):
    folder, asked = small_hub
    torch.save({}, folder / name)
    with pytest.raises(WeightsError, match=f"only as a pickle \\({name}\\)"):
        hub.find_hub_file(NAME, (name,))
    assert not any(name in path for path in asked)
    assert hub.find_hub_file(NAME, (name,), allow_pickle=True).name == name


def test_one_file_without_a_hub_that_answers():
    with pytest.raises(OfflineError, match="not answer"):
        hub.find_hub_file(NAME, ("model.safetensors",))


def test_small_files_are_asked_for_until_the_last_of_them_is_there(small_hub, monkeypatch):
    folder, asked = small_hub
    files, enough = ("config.json", "vocab.txt", "tokenizer.json"), ("tokenizer.json",)
    first = hub.find_hub_files(NAME, files, enough=enough)
    assert [path.name for path in first.iterdir()] == ["config.json"]
    (folder / "tokenizer.json").write_text("{}")  # an earlier download was stopped before it
    assert hub.find_hub_files(NAME, files, enough=enough) == first
    assert {path.name for path in first.iterdir()} == {"config.json", "tokenizer.json"}
    asked.clear()
    assert hub.find_hub_files(NAME, files, enough=enough) == first
    assert asked == []
    assert hub.find_hub_files(NAME, ("vocab.txt",), enough=("vocab.txt",)) is None
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert hub.find_hub_files(NAME, (*files, "merges.txt"), enough=("merges.txt",)) == first
    with pytest.raises(OfflineError):
        hub.find_hub_files(NAME, ("vocab.txt",), enough=("vocab.txt",))
    with pytest.raises(EncoderError, match="'a/b/c' is not a hub name"):
        hub.find_hub_files("a/b/c", files, enough=enough)


@pytest.mark.usefixtures("small_hub")
def test_a_repository_that_is_not_there():
    with pytest.raises(
        EncoderError, match="has no repository 'someone/smal-clip', and there is no folder"
    ) as raised:
        open_encoder("someone/smal-clip", device="cpu")
    assert not isinstance(raised.value, OfflineError)


def test_a_repository_without_an_encoder(small_hub):
    folder, _ = small_hub
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderError, match=r"lacks config\.json or preprocessor_config\.json"):
        open_encoder(NAME, device="cpu")


def test_a_misspelt_name():
    with pytest.raises(
        UnknownNameError, match=r"unknown encoder 'dinov2s'; did you mean .*dinov2.*folder.*hub name"
    ):
        open_encoder("dinov2s", device="cpu")


@pytest.mark.parametrize("name", sorted({kind.name for kind in FAMILIES.values()}))
def test_a_family_is_not_an_encoder(name):
    with pytest.raises(
        UsageError, match=f"'{name}' is a family of checkpoints, not a checkpoint; give a folder"
    ):
        open_encoder(name, device="cpu")


@pytest.mark.parametrize("source", ["./nowhere", "/nowhere/at/all", "a/b/c", "..", ""])
def test_a_folder_that_is_not_there(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((UsageError, EncoderError), match=r"no folder|no config\.json|unknown encoder"):
        open_encoder(source, device="cpu")


def test_a_file_is_not_a_folder(tmp_path):
    file = tmp_path / "model.safetensors"
    file.touch()
    with pytest.raises(UsageError, match="is a file; give a folder"):
        open_encoder(str(file), device="cpu")


def test_a_type_that_nothing_opens(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "siglip3"}')
    with pytest.raises(
        EncoderError, match=r"holds a 'siglip3', which no encoder opens; the nearest is siglip2?;"
    ):
        open_encoder(str(tmp_path), device="cpu")


def test_a_folder_of_a_family_s_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_checkpoint("vit", tmp_path / "clip")
    assert find_entry("clip").name == "vit"
    assert embedding("clip").shape == (2, 32)


def test_each_type_opens_in_one_family():
    kinds = [kind for entry in ENCODERS.values() for kind in entry.model_types]
    assert len(kinds) == len(set(kinds))


@pytest.mark.parametrize("device", ["gpu0", "cuda:77", ""])
def test_a_device_that_is_not_there(device):
    with pytest.raises(EncoderError, match="cannot be used"):
        choose_device(device)


def test_device_auto():
    assert choose_device("auto") in ("cuda:0", "mps", "cpu")
    assert choose_device("cpu") == "cpu"


def test_an_empty_name_is_not_the_working_folder():
    with pytest.raises(UnknownNameError, match="unknown encoder ''"):
        open_encoder("", device="cpu")
