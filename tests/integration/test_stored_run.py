"""A run that an earlier commit began is continued by this one: what it counted, and how, is unchanged.

``tests/golden/stored_run`` is a run of six images in chunks of three that was stopped after its first chunk.
It was measured before the package's modules had their present places.
"""

import json
import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import embshift
from embshift.core.errors import ResumeError

STORED = Path(__file__).parents[1] / "golden" / "stored_run"
TABLES = ("images", "embeddings", "shifts", "attention")
OPTIONS = {
    "encoder": "lite",
    "transforms": ["noise", "blur", "horizontal_flip"],
    "image_size": (64, 64),
    "batch": 8,
    "threads": 1,
    "device": "cpu",
    "keep_views": 1,
}


WORDED = {"summary", "blind_to", "reference"}
"""Sentences on a metric, which may be written better at any time; everything else of it counts."""


def comparable(info):
    """What of ``run.json`` stays while a run is continued by a later commit."""
    changing = {"state", "finished", "counts", "sessions", "encoder_files", "choices", "metrics", "files"}
    kept = {name: value for name, value in info.items() if name not in changing}
    metrics = [{k: v for k, v in one.items() if k not in WORDED} for one in info["metrics"]]
    return kept | {"metrics": metrics}


def images():
    rng = np.random.default_rng(17)
    return [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(6)]


@pytest.fixture
def stored(tmp_path):
    """A copy of the stored run, and the versions it was measured with in place of those installed."""
    folder = tmp_path / "run"
    shutil.copytree(STORED, folder)
    versions = json.loads((folder / "run.json").read_text())["versions"]
    with (
        patch("embshift.measurement.session.resume.versions", lambda: versions),
        patch("embshift.measurement.session.provenance.versions", lambda: versions),
        patch("embshift.measurement.session.run_json.versions", lambda: versions),
    ):
        yield folder


def test_it_is_continued_with_the_same_call(stored):
    before = {name: (stored / name / "chunk-000000.parquet").read_bytes() for name in TABLES}
    info = json.loads((stored / "run.json").read_text())
    run = embshift.measure(images(), out=stored, **OPTIONS)
    assert run.finished
    assert run.info["counts"]["images"] == 6
    for name in TABLES:
        assert (stored / name / "chunk-000000.parquet").read_bytes() == before[name]
        assert (stored / name / "chunk-000001.parquet").is_file()
    assert comparable(run.info) == comparable(info)
    assert len(run.info["sessions"]) == 2
    assert embshift.verify_run(stored, inputs=False).sound


def test_it_gives_what_a_whole_run_gives(stored, tmp_path):
    """The stored half was computed elsewhere, so embeddings may differ by rounding; pixels may not."""
    run = embshift.measure(images(), out=stored, **OPTIONS)
    whole = embshift.measure(images(), out=tmp_path / "whole", **OPTIONS)
    for name in ("original", *run.transforms):
        np.testing.assert_allclose(
            run.embeddings(name).values, whole.embeddings(name).values, rtol=1e-4, atol=1e-4
        )
    digests = [
        sorted(
            (line["row"], line["transform"], line["parameters"], line["pixels_digest"])
            for chunk in one.chunks("embeddings", ["row", "transform", "parameters", "pixels_digest"])
            for line in chunk.to_pylist()
        )
        for one in (run, whole)
    ]
    assert digests[0] == digests[1]


def test_another_plan_is_refused_with_the_difference(stored):
    with pytest.raises(ResumeError, match="seed: 0 in the run, 1 requested"):
        embshift.measure(images(), out=stored, **OPTIONS, seed=1)
