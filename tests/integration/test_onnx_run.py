"""Runs with an ONNX model, from the first command to the report."""

import json
import shutil

import pytest
import torch

from tests.integration.command import call, invoke
from tests.unit.encoders.forms.onnx_models import CLIP, write_model

QUICK = ("--transform", "blur", "--transform", "noise", "--image-size", "48", "--workers", "0")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, samples):
    folder = tmp_path_factory.mktemp("three")
    for name in ("cat", "dog", "panda"):
        shutil.copy(samples / f"{name}.jpg", folder)
    return str(folder)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return write_model(folder, attention=True, settings={**CLIP, "attention": "last_attention"})


@pytest.fixture(scope="module")
def finished(tmp_path_factory, photos, model):
    out = tmp_path_factory.mktemp("runs") / "onnx"
    result = invoke("run", photos, "--encoder", model, *QUICK, "--out", str(out))
    assert result.returncode == 0, result.stderr
    return out


def read_record(out):
    return json.loads((out / "run.json").read_text())


def test_maps_and_embeddings_are_measured(finished):
    info = read_record(finished)
    assert info["encoder"]["map_source"] == "output 'last_attention' of the graph"
    assert info["encoder"]["runtime"] == "onnxruntime"
    assert {each["name"] for each in info["metrics"]} >= {"cosine", "attention_similarity"}
    assert len(info["encoder_files"]) == 2
    assert info["counts"]["undefined"] == 0


@pytest.mark.parametrize("command", ["summarise", "report", "verify"])
def test_what_reads_a_run_reads_it(finished, command):
    result = invoke(command, str(finished))
    assert result.returncode == 0, result.stderr


def test_a_finished_run_is_answered_without_torch_and_onnxruntime(finished, photos, model, monkeypatch):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # every import is then a line on stderr
    again = call("run", photos, "--encoder", model, *QUICK, "--out", str(finished))
    assert again.returncode == 0, again.stderr
    assert "nothing left to do" in again.stderr
    loaded = {line.rsplit("|", 1)[-1].strip() for line in again.stderr.splitlines()}
    assert "embshift" in loaded
    assert not loaded & {"torch", "onnx", "onnxruntime"}


def test_a_stopped_run_is_continued_to_the_same_tables(finished, photos, model, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(finished, out)
    (out / "shifts" / "chunk-000000.parquet").unlink()
    result = invoke("run", photos, "--encoder", model, *QUICK, "--out", str(out))
    assert result.returncode == 0, result.stderr
    first, second = (invoke("summarise", str(run), "--format", "csv").stdout for run in (finished, out))
    assert first == second


def test_a_changed_toml_is_another_encoder(finished, photos, model, tmp_path):
    for name in ("model.onnx", "model.toml"):
        shutil.copy(f"{model.removesuffix('model.onnx')}{name}", tmp_path)
    out, copied = tmp_path / "run", str(tmp_path / "model.onnx")
    assert invoke("run", photos, "--encoder", copied, *QUICK, "--out", str(out)).returncode == 0
    with (tmp_path / "model.toml").open("a") as file:
        file.write('interpolation = "bilinear"\n')
    result = invoke("run", photos, "--encoder", copied, *QUICK, "--out", str(out))
    assert result.returncode == 2
    assert "the encoder is not the run's" in result.stderr


def test_without_a_map_its_metrics_are_left_out(photos, tmp_path):
    path = write_model(tmp_path, kind="uint8")
    result = invoke("run", photos, "--encoder", path, *QUICK, "--out", str(tmp_path / "run"))
    assert result.returncode == 0, result.stderr
    assert "left out: attention_similarity" in result.stderr
    for command in ("summarise", "report", "verify"):
        assert invoke(command, str(tmp_path / "run")).returncode == 0


def test_a_gpu_that_onnxruntime_does_not_use_is_told_once(photos, model, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    out, said = (
        tmp_path / "run",
        "the encoder runs on cpu: onnxruntime as installed here does not run on cuda:0",
    )
    first = invoke("run", photos, "--encoder", model, *QUICK, "--out", str(out))
    assert first.returncode == 0, first.stderr
    assert first.stderr.count(said) == 1
    assert read_record(out)["encoder"]["device"] == "cpu"
    (out / "shifts" / "chunk-000000.parquet").unlink()
    again = invoke("run", photos, "--encoder", model, *QUICK, "--out", str(out))
    assert again.returncode == 0, again.stderr
    assert said not in again.stderr


@pytest.mark.parametrize("content", [None, b"", b"garbage"])
def test_a_wrong_file_is_exit_code_2(photos, tmp_path, content, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "model.onnx").write_bytes(content)
    result = invoke("run", photos, "--encoder", "model.onnx", *QUICK, "--out", "run")
    assert result.returncode == 2
    assert "model.onnx" in result.stderr
    assert "Traceback" not in result.stderr


def test_it_cannot_be_explained_and_says_so(finished):
    result = invoke("explain", str(finished))
    assert result.returncode == 2
    assert "not open to embshift" in result.stderr
