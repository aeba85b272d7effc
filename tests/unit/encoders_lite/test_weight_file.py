import json
import re
from pathlib import Path

import pytest
import torch

from embshift.core.errors import WeightsError
from embshift.encoders import ENCODERS
from embshift.encoders.lite.weight_file import DIGEST, PATH, read_weights


def test_file_is_small_enough_to_ship():
    assert PATH.stat().st_size <= 16 * 2**20


def test_model_card_belongs_to_the_file():
    card = PATH.with_suffix(".md").read_text(encoding="utf-8")
    assert f"`{DIGEST}`" in card
    assert f"{PATH.stat().st_size:,} bytes" in card


def test_altered_file_is_refused(tmp_path):
    content = bytearray(PATH.read_bytes())
    content[-1] ^= 1
    altered = tmp_path / "lite.safetensors"
    altered.write_bytes(content)
    with pytest.raises(
        WeightsError, match=rf"have SHA-256 \w{{64}} \(\d+ bytes\); expected {DIGEST}; run: pip"
    ):
        read_weights(altered, device="cpu")


def test_truncated_file_is_refused(tmp_path):
    cut = tmp_path / "lite.safetensors"
    cut.write_bytes(PATH.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"\(1000 bytes\)"):
        read_weights(cut, device="cpu")


def test_missing_file_is_named(tmp_path):
    absent = tmp_path / "lite.safetensors"
    with pytest.raises(WeightsError, match=rf"cannot be read from {re.escape(str(absent))} .*pip install"):
        read_weights(absent, device="cpu")


def test_weights_are_single_precision_and_finite():
    for name, values in read_weights(device="cpu").items():
        assert values.dtype == torch.float32, name
        assert values.isfinite().all(), name


def test_opening_reads_the_file_once(monkeypatch):
    read, read_bytes = [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path) or read_bytes(path))
    ENCODERS["lite"].open("lite", device="cpu", allow_pickle=False)
    assert read == [PATH]


def test_spec_states_the_encoder(lite):
    spec, entry = lite.spec, ENCODERS["lite"]
    assert (spec.name, spec.family, spec.dim, spec.heads, spec.layers) == ("lite", "lite", 256, 4, 4)
    assert (spec.map_name, spec.precision, spec.device) == ("attention map", "float32", "cpu")
    assert (spec.embedding, spec.map_source) == (entry.embedding, entry.map_source)
    assert spec.digest == DIGEST
    assert json.loads(json.dumps(spec.preprocessing)) == spec.preprocessing
    assert "OpenAI" not in entry.summary
