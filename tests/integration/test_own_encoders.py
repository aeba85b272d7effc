"""A run by an encoder of the user's own; and a stranger's, whose code is not run."""

import sys

import numpy as np
import pytest

import embshift
from embshift.core.errors import EncoderError, PlanError, ResumeError
from embshift.measurement.plan.plan import DEFAULT_METRICS
from embshift.measurement.studies.match import measure_matched
from embshift.measurement.studies.sweep import measure_sweep
from tests.integration.command import invoke
from tests.unit.encoders.forms import own

QUICK = {"image_size": (64, 64), "workers": 0, "transforms": ["blur", "noise"]}
ADDRESS = f"{own.__name__}:shrink"


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory):
    return embshift.measure(photos, encoder=own.shrink, out=tmp_path_factory.mktemp("runs") / "own", **QUICK)


def test_its_embeddings_are_what_the_function_returns(run):
    assert run.info["encoder"]["name"] == ADDRESS
    assert run.embeddings("blur").values.shape == (6, 48)
    assert run.info["plan"]["metrics"] == [one for one in DEFAULT_METRICS if one != "attention_similarity"]


def test_what_needs_a_map_is_left_out_with_one_line(photos, tmp_path):
    found = invoke(
        *("run", str(photos), "--encoder", ADDRESS, "--limit", "2", "--transform", "blur"),
        *("--workers", "0", "--out", str(tmp_path / "run")),
    )
    assert found.returncode == 0
    (line,) = [line for line in found.stderr.splitlines() if "left out" in line]
    assert line == "left out: attention_similarity, which needs a map: the encoder gives none"
    asked = ("run", str(photos), "--encoder", ADDRESS, "--metric", "attention_similarity")
    found = invoke(*asked, "--out", str(tmp_path / "other"))
    assert (found.returncode, "gives none; ask for other metrics" in found.stderr) == (2, True)
    found = invoke("figures", str(tmp_path / "run"), "--only", "attention_grid")
    assert f"holds no maps: encoder {ADDRESS} gives none" in found.stderr


def test_the_same_call_returns_the_finished_run(run, photos):
    again = embshift.measure(photos, encoder=ADDRESS, out=run.folder, **QUICK)
    assert again.shifts().equals(run.shifts())


def test_everything_on_embeddings_and_the_report_work(run):
    for show in ("calibration", "retrieval", "direction", "structure"):
        assert invoke("summarise", str(run.folder), "--show", show).returncode == 0
    assert invoke("report", str(run.folder)).returncode == 0
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "The encoder gives no map." in page
    assert "heads of the map" not in page


def test_an_object_without_an_address_is_named_and_noted(photos, tmp_path):
    held = own.Shifted(1.5)
    run = embshift.measure(photos, encoder=held, limit=2, out=tmp_path / "run", **QUICK)
    assert run.info["encoder"]["name"] == "memory:Shifted"
    text = (tmp_path / "run" / "plan.toml").read_text()
    assert text.startswith("# Not repeatable from this file: encoder memory:Shifted existed in Python alone.")
    original = run.embeddings("original").values
    flat = embshift.measure(photos, encoder=own.shrink, limit=2, out=tmp_path / "flat", **QUICK)
    assert np.allclose(original, flat.embeddings("original").values + 1.5, atol=1e-4)


@pytest.mark.parametrize("thing", [own.shrink, (own.network(), own.prepare)])
def test_sweeps_and_matches_take_objects(photos, tmp_path, thing):
    asked = {"encoder": thing, "transforms": ["blur", "noise"], "limit": 2, "image_size": (32, 32)}
    for _ in range(2):  # the second call returns the finished run
        swept = measure_sweep(photos, severities=[1, 3], out=tmp_path / "swept", workers=0, **asked)
        matched = measure_matched(photos, ssim=[0.8], out=tmp_path / "matched", workers=0, **asked)
    named = ADDRESS if thing is own.shrink else "memory:Sequential"
    assert {run.info["encoder"]["name"] for run in (swept, matched)} == {named}
    assert [len(curve.at) for curve in swept.sweep().curves] == [2, 2]
    assert matched.matched().groups


def test_another_function_does_not_continue_the_run(run, photos):
    with pytest.raises(ResumeError, match="encoder"):
        embshift.measure(photos, encoder=own.Shifted(0), out=run.folder, **QUICK)


def test_a_function_that_fails_is_named(photos, tmp_path):
    with pytest.raises(EncoderError, match=f"encoder '{own.__name__}:flat' returned"):
        embshift.measure(photos, encoder=own.flat, out=tmp_path / "run", **QUICK)


def test_metrics_are_taken_as_functions(photos, tmp_path):
    from embshift.metrics import METRICS

    metrics = ["cosine", METRICS["ssim"].compute, METRICS["edge_similarity"]]
    run = embshift.measure(
        photos, encoder=own.shrink, metrics=metrics, limit=2, out=tmp_path / "run", **QUICK
    )
    assert [metric.name for metric in run.metrics] == ["cosine", "ssim", "edge_similarity"]
    with pytest.raises(PlanError, match=r"metric test_metrics.*is not registered.*pixel_metric"):
        embshift.measure(
            photos, encoder=own.shrink, metrics=[lambda one, two: one], out=tmp_path / "no", **QUICK
        )


CANARY = """
from pathlib import Path
Path(__file__).with_suffix(".ran").touch()
def encode(images):
    return images.mean((1, 2))
def change(pixels):
    return 255 - pixels
"""

ENCODER = {"encoder": "canary_encoder:encode", "transforms": ["blur"]}
TRANSFORM = {"encoder": "lite", "transforms": {"mine": "canary_encoder:change"}}


@pytest.fixture
def stranger(photos, tmp_path, monkeypatch, request):
    """A run whose record names code: its folder, and the file that is there once that code ran again."""
    (tmp_path / "canary_encoder.py").write_text(CANARY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "canary_encoder", raising=False)
    asked = QUICK | request.param
    folder = embshift.measure(photos, limit=2, out=tmp_path / "theirs", **asked).folder
    ran = tmp_path / "canary_encoder.ran"
    assert ran.exists()
    ran.unlink()
    del sys.modules["canary_encoder"]
    return folder, ran


@pytest.mark.parametrize("stranger", [ENCODER], indirect=True)
def test_verifying_says_what_was_not_opened_and_opens_it_where_allowed(stranger):
    folder, ran = stranger
    found = invoke("verify", str(folder))
    assert "canary_encoder:encode was not opened and not compared" in found.stdout
    assert invoke("verify", str(folder), "--allow-code").returncode == 0
    assert ran.exists()


@pytest.mark.parametrize("stranger", [TRANSFORM], indirect=True)
def test_explaining_runs_the_transform_where_it_is_allowed(stranger):
    folder, ran = stranger
    found = invoke("explain", str(folder), "--allow-code", "--patch", "direct", "--quiet")
    assert found.returncode == 0, found.stderr
    assert ran.exists()
