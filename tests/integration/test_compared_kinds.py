"""Every kind of run is compared, checked and turned into scalars, or refused with a reason."""

import itertools
import math

import numpy as np
import pyarrow.parquet as pq
import pytest

import embshift
from embshift.core.errors import RunError
from tests.conftest import SAMPLES
from tests.integration.command import invoke
from tests.unit.encoders.families import make_checkpoint
from tests.unit.encoders.forms.onnx_models import CLIP, write_model

pytestmark = pytest.mark.slow

IMAGES = 12
MADE = {"transforms": ["blur", "identity"], "image_size": (48, 48), "limit": IMAGES, "workers": 0}
KINDS = ("lite", "onnx", "clip", "ingested", "zeros")


def _measure(folder, encoder, out, **options):
    wanted = MADE | {"encoder": encoder, "metrics": ["cosine"], "device": "cpu"} | options
    return embshift.measure(SAMPLES, out=folder / out, **wanted)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    """Runs of the same images by what gives embeddings."""
    folder = tmp_path_factory.mktemp("kinds")
    embshift.write_views(SAMPLES, out=folder / "views.parquet", **MADE)
    views = pq.read_metadata(folder / "views.parquet").num_rows
    numbers = np.random.default_rng(0).normal(size=(views, 20)).astype(np.float32)
    for name, values in (("ingested", numbers), ("zeros", 0 * numbers)):
        np.save(folder / f"{name}.npy", values)
    return {
        "lite": _measure(folder, "lite", "lite"),
        "onnx": _measure(folder, write_model(folder, settings=CLIP), "onnx"),
        "clip": _measure(folder, str(make_checkpoint("clip", folder / "network")), "clip"),
        **{
            name: embshift.ingest(
                folder / "views.parquet",
                embeddings=folder / f"{name}.npy",
                out=folder / name,
                metrics=["cosine"],
                workers=0,
            )
            for name in ("ingested", "zeros")
        },
    }


@pytest.mark.parametrize("kind", KINDS)
def test_scalars_of_every_kind_are_finite_and_count_what_is_undefined(kinds, kind):
    found = kinds[kind].scalars()
    assert all(map(math.isfinite, found.values()))
    assert (found["run/left_out"] > 0) == (kind == "zeros")
    assert ("blur/relative_shift" in found) == (kind != "zeros")


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(KINDS, 2)))
def test_any_two_kinds_are_compared_or_refused_with_the_reason(kinds, first, second):
    one, two = kinds[first], kinds[second]
    if "zeros" in (first, second):
        with pytest.raises(RunError, match=r"no image has a usable embedding in all runs .*zeros: 0"):
            embshift.compare(one, two, resamples=100)
        return
    found = embshift.compare(one, two, resamples=100)
    assert found.found.images == IMAGES
    assert found.found.pairs[0].relation == "different encoders"
    assert len(found.records()) == 2 * 2 * len(found.found.statistics)


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_of_every_kind_has_a_verdict(kinds, kind):
    record = embshift.check(kinds[kind], require="relative_shift(blur) <= 1.9")
    (check,) = record.checks
    if kind == "zeros":
        assert (check.verdict, check.reason) == ("undecided", "0 images; 10 or more are needed")
    else:
        assert (check.verdict, check.n) == ("holds", IMAGES)


@pytest.mark.parametrize("options", [{"limit": 1}, {"limit": 2}])
def test_one_image_and_two_are_checked_and_compared_without_a_number_that_they_do_not_give(tmp_path, options):
    runs = [_measure(tmp_path, "lite", name, **options) for name in ("one", "two")]
    found = embshift.compare(*runs, resamples=100).found
    assert np.isnan(found.pairs[0].differences.low).all()
    assert embshift.check(runs[0], require="relative_shift(blur) <= 1").verdict == "undecided"
    assert all(map(math.isfinite, runs[0].scalars().values()))


def test_a_run_without_a_readable_image_is_undecided_and_compared_with_nothing(kinds, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "broken.jpg").write_text("no image")
    options = MADE | {"encoder": "lite", "metrics": ["cosine"], "device": "cpu"}
    run = embshift.measure(tmp_path / "images", out=tmp_path / "run", **options)
    assert embshift.check(run, require="relative_shift(*) <= 1").verdict == "undecided"
    assert run.scalars()["run/images_failed"] == 1
    with pytest.raises(RunError, match="shares no image"):
        embshift.compare(run, kinds["lite"])


def test_sweeps_are_compared_with_sweeps_by_every_level(tmp_path):
    network = str(make_checkpoint("clip", tmp_path / "network"))
    for name, encoder in (("lite", "lite"), ("clip", network)):
        command = (
            f"sweep {SAMPLES} --encoder {encoder} --out {tmp_path / name} --limit {IMAGES} --image-size 48"
        )
        found = invoke(*command.split(), "--transforms", "blur", "--severities", "1", "4", "--workers", "0")
        assert found.returncode == 0, found.stderr
    runs = [embshift.open_run(tmp_path / name) for name in ("lite", "clip")]
    found = embshift.compare(*runs, resamples=100).found
    assert found.transforms == ("blur_s1", "blur_s4")
    assert [one.sweep.curves[0].names for one in found.runs] == [found.transforms] * 2
    assert "blur_s4/relative_shift" in runs[1].scalars()
