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
