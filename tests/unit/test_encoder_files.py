"""Which files an encoder was opened from, and whether they still are."""

import json
import os

import pytest

from embshift.measurement.session import encoder_files as subject


@pytest.fixture
def checkpoint(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "readme.md").write_text("no part of the encoder")
    return tmp_path


def test_a_checkpoint_has_its_configuration_and_weights(checkpoint):
    found = subject.encoder_files(str(checkpoint))
    assert [os.path.basename(each["path"]) for each in found] == ["config.json", "model.safetensors"]
    assert [each["bytes"] for each in found] == [2, 7]
    assert json.loads(json.dumps(found)) == found


def test_the_bundled_encoder_has_its_weights():
    (found,) = subject.encoder_files("lite")
    assert found["path"].endswith(".safetensors")
    assert subject.same_files("lite", [found])


def test_files_are_the_same_until_one_is_touched(checkpoint):
    recorded = subject.encoder_files(str(checkpoint))
    (checkpoint / "readme.md").write_text("another")
    assert subject.same_files(str(checkpoint), recorded)
    os.utime(checkpoint / "model.safetensors", ns=(1, 1))
    assert not subject.same_files(str(checkpoint), recorded)


def test_a_file_more_is_another_encoder(checkpoint):
    recorded = subject.encoder_files(str(checkpoint))
    (checkpoint / "preprocessor_config.json").write_text("{}")
    assert not subject.same_files(str(checkpoint), recorded)


def test_a_file_that_is_gone_is_another_encoder(checkpoint):
    recorded = subject.encoder_files(str(checkpoint))
    (checkpoint / "model.safetensors").unlink()
    assert not subject.same_files(str(checkpoint), recorded)
    assert not subject.same_files("some/name", recorded)


def test_an_encoder_of_unknown_files_is_never_the_same():
    assert subject.encoder_files("registered") is None
    assert not subject.same_files("registered", None)
    assert not subject.same_files("lite", [{"path": 3}])


def test_a_service_has_no_files_and_its_settings_have_one(tmp_path):
    for address in ("https://host/path", "http://host/organisation/name"):
        assert subject.encoder_files(address) is None
        assert subject.same_files(address, None)
    settings = tmp_path / "service.toml"
    assert subject.encoder_files(str(settings)) is None
    settings.write_text("[service]")
    recorded = subject.encoder_files(str(settings))
    assert [each["path"] for each in recorded] == [str(settings)]
    assert subject.same_files(str(settings), recorded)
    settings.write_text("[service] # another")
    assert not subject.same_files(str(settings), recorded)


@pytest.mark.parametrize("library", ["open_clip", "timm"])
def test_a_library_s_network_has_its_weight_file(tmp_path, library, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tuned.pt").write_bytes(b"weights")
    for named in ("tuned.pt", f"{tmp_path}/tuned.pt"):
        source = f"{library}:network/{named}"
        recorded = subject.encoder_files(source)
        assert [each["path"] for each in recorded] == [f"{tmp_path}/tuned.pt"]
        assert subject.same_files(source, recorded)
    monkeypatch.chdir("/")
    assert subject.same_files(f"{library}:network/tuned.pt", recorded)
    os.utime(tmp_path / "tuned.pt", ns=(1, 1))
    assert not subject.same_files(source, recorded)


def test_the_preprocessing_beside_weights_is_part_of_open_clip_s_encoder(tmp_path):
    (tmp_path / "tuned.pt").write_bytes(b"weights")
    for library, more in (("open_clip", 1), ("timm", 0)):
        source = f"{library}:network/{tmp_path}/tuned.pt"
        alone = subject.encoder_files(source)
        (tmp_path / "open_clip_config.json").write_text("{}")
        both = subject.encoder_files(source)
        assert len(both) == 1 + more
        assert subject.same_files(source, both)
        assert subject.same_files(source, alone) == (not more)
        (tmp_path / "open_clip_config.json").unlink()


@pytest.mark.parametrize("weights", ["", "/laion2b_s34b_b79k", "/none.pt", "/https://host/a.pt", "/notes.md"])
def test_a_tag_of_a_library_has_no_known_files(tmp_path, weights, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.md").write_text("no weights")
    assert subject.encoder_files(f"open_clip:ViT-B-32{weights}") is None
