"""Runs by networks of open_clip and timm, from the command line and from Python, and the page on them."""

import re
import shutil
from pathlib import Path

import pytest

import embshift
from embshift.core.errors import ResumeError
from tests.extras import networks
from tests.integration.command import call, invoke

ROOT = Path(__file__).parents[2]
QUICK = ("--transform", "blur", "--transform", "noise", "--workers", "0", "--image-size", "96")


@pytest.fixture(scope="module")
def three(samples, tmp_path_factory):
    """Three photographs."""
    folder = tmp_path_factory.mktemp("three")
    for name in ("cat", "dog", "crab"):
        shutil.copy(samples / f"{name}.jpg", folder)
    return folder


@pytest.fixture(scope="module", params=["open_clip:tiny", "timm:test_vit", "timm:test_resnet"])
def source(request, open_clip_file, timm_file):
    library, name = request.param.split(":")
    return f"{request.param}/{(open_clip_file if library == 'open_clip' else timm_file)(name)}"


@pytest.fixture(scope="module")
def run(source, three, tmp_path_factory):
    """A finished run, continued after it lost its chunks."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    asked = ("run", str(three), "--encoder", source, "--out", str(folder), *QUICK)
    found = invoke(*asked)
    assert found.returncode == 0, found.stderr
    before = embshift.open_run(folder).shifts()
    shutil.rmtree(folder / "embeddings")
    found = invoke(*asked)
    assert found.returncode == 0, found.stderr
    assert embshift.open_run(folder).shifts().equals(before)
    return folder


def test_everything_on_the_run_works(run):
    for command in ("summarise", "report", "verify"):
        found = invoke(command, str(run))
        assert found.returncode == 0, found.stderr
    for show in ("calibration", "retrieval", "direction"):
        assert invoke("summarise", str(run), "--show", show).returncode == 0


def test_the_run_names_the_library_and_its_preprocessing(run, source):
    stated = embshift.open_run(run).info["encoder"]
    assert stated["name"] == source
    assert stated["preprocessing"]["backend"] == stated["family"] == source.partition(":")[0]
    assert stated["preprocessing"]["version"]


def test_a_map_is_measured_or_left_out(run, source):
    metrics = [metric.name for metric in embshift.open_run(run).metrics]
    assert ("attention_similarity" in metrics) == ("resnet" not in source)
    only = invoke("figures", str(run), "--only", "attention_grid")
    assert ("gives none" in only.stderr) == ("resnet" in source)


def test_a_finished_run_is_answered_without_the_library(run, source, three, monkeypatch):
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # every import is then a line on stderr
    again = call("run", str(three), "--encoder", source, "--out", str(run), *QUICK)
    assert "nothing left to do" in again.stderr
    loaded = {line.rsplit("|", 1)[-1].strip() for line in again.stderr.splitlines()}
    assert "embshift" in loaded
    assert not loaded & {"torch", "open_clip", "timm"}


def test_other_weights_do_not_continue_the_run(run, source, three, tmp_path):
    library, name = source.partition("/")[0].split(":")
    make = networks.make_open_clip if library == "open_clip" else networks.make_timm
    file = Path(source.partition("/")[2])
    kept = file.read_bytes()
    networks.save(networks.scatter(make(name), seed=1), file)
    try:
        found = invoke("run", str(three), "--encoder", source, "--out", str(run), *QUICK)
    finally:
        file.write_bytes(kept)
    assert (found.returncode, "weights' digest was" in found.stderr) == (2, True)
    assert ResumeError.exit_code == 2


@pytest.mark.parametrize("encoder", ["open_clip:ViT-B-32", "timm:resnet5", "timm:test_vit/none.pt"])
def test_what_cannot_be_opened_is_a_message(three, tmp_path, encoder):
    found = invoke("run", str(three), "--encoder", encoder, "--out", str(tmp_path / "run"), *QUICK)
    assert found.returncode == 2
    assert "Traceback" not in found.stderr
    assert encoder.split(":")[1].split("/")[0] in found.stderr


def test_the_page_runs(three, tmp_path, monkeypatch):
    shutil.copytree(three, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "encoder-open-clip.md").read_text(encoding="utf-8")
    found = {}
    for block in re.findall(r"^```python\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL):
        exec(block, found)
    assert embshift.open_run("open-clip-run").info["encoder"]["family"] == "open_clip"
    assert embshift.open_run("timm-run").info["encoder"]["family"] == "timm"
