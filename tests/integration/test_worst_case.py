"""The worst case of a sweep, end to end: from hand-made embeddings, and as a user meets it."""

import csv
import io
import json
import math
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.stats import binomtest, spearmanr

from embshift.core.errors import RunError
from embshift.core.types import ORIGINAL
from embshift.measurement.studies.sweep import measure_sweep
from embshift.measurement.verify import verify_run
from embshift.runs.chunks import ParquetSink
from embshift.runs.explained import write_texts, write_texts_record
from embshift.runs.schema import TABLES
from embshift.show.run import open_run
from embshift.show.text.markup import FORMATS
from embshift.show.text.worst_case import describe_prediction
from tests.integration.command import invoke
from tests.integration.crops import write_crops
from tests.synthetic_runs import Wanted, image_id, make_run, run_info

IMAGES, DIM = 12, 13
LEVELS = (1, 3, 5)
NAMES = ("blur", "noise", "rotate", "jpeg", "crop", "hue", "gamma", "border")
FLIPS_ABOVE = math.atan(1 / math.sqrt(IMAGES))
"""Angle from which on a view is closer to the label "far" than to "near"."""


def angle(transform, level, row):
    """Angle between a view and its original: greatest for the last transform, and in (0, π/2)."""
    return (0.02 + 0.03 * NAMES.index(transform)) * level * (1 + row / IMAGES) / 2


def turned(row, angle):
    """Image `row` has an axis of its own; every view is turned towards the last axis."""
    vector = np.zeros(DIM, np.float32)
    vector[row], vector[-1] = math.cos(angle), math.sin(angle)
    return 3 * vector


def make_sweep(folder, transforms=NAMES, levels=LEVELS, *, missing=()):
    """Write a run folder of a sweep; `missing` are the keys (transform, level, row) of views that failed."""
    wanted = Wanted(images=IMAGES, metrics=("cosine",), views=False, maps=False, dim=DIM)
    make_run(folder, wanted)
    rows = []
    for row in range(IMAGES):
        own = {"row": row, "image_id": image_id(row), "draw": 0, "status": "ok"}
        rows.append(own | {"transform": ORIGINAL, "embedding": turned(row, 0)})
        rows += [
            own | {"transform": f"{name}_s{level}", "embedding": turned(row, angle(name, level, row))}
            for name in transforms
            for level in levels
            if (name, level, row) not in missing
        ]
    tables = {name: schema.arrow(dim=DIM).empty_table() for name, schema in TABLES.items()}
    tables["images"] = pq.read_table(folder / "images" / "chunk-000000.parquet").replace_schema_metadata(None)
    tables["embeddings"] = pa.Table.from_pylist(rows, schema=TABLES["embeddings"].arrow(dim=DIM))
    ParquetSink(folder=folder, fingerprint="synthetic").write(0, tables)
    plan = [
        {"name": f"{name}_s{level}", "kind": "registered", "target": name}
        | {"severity": level, "strength": float(level)}
        for name in transforms
        for level in levels
    ]
    info = run_info(wanted)
    info["plan"]["transforms"] = plan
    info["strengths"] = dict.fromkeys(transforms, info["strengths"]["blur"])
    (folder / "run.json").write_text(json.dumps(info))
    return folder


def add_labels(folder):
    near, far = np.ones(DIM, np.float32) / math.sqrt(IMAGES), np.zeros(DIM, np.float32)
    near[-1], far[-1] = 0, 1
    rows = [
        {"kind": "label", "text": text, "key": "", "vector": v} for text, v in [("near", near), ("far", far)]
    ]
    write_texts(folder, pa.Table.from_pylist(rows), fingerprint="synthetic")
    write_texts_record(folder, {"fingerprint": "synthetic", "scale": 1.0, "bias": None, "prompts": ["{}"]})


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return make_sweep(tmp_path_factory.mktemp("sweep") / "run")


@pytest.fixture(scope="module")
def labelled(sweep, tmp_path_factory):
    folder = shutil.copytree(sweep, tmp_path_factory.mktemp("labelled") / "run")
    add_labels(folder)
    return folder


def angles(transform):
    return np.array([[angle(transform, level, row) for level in LEVELS] for row in range(IMAGES)])


def test_radius_and_means_are_those_of_the_angles(sweep):
    found = open_run(sweep).worst_case(resamples=500)
    assert found.transforms == NAMES[::-1]
    assert found.severities == (3,) * len(NAMES)
    for row in found.records():
        own = angles(row["transform"])
        # The ball of an arc has the chord of its two ends for a diameter.
        assert row["radius_mean"] == pytest.approx(np.sin(own.max(axis=1) / 2).mean(), rel=1e-5)
        assert row["shift_mean"] == pytest.approx((1 - np.cos(own)).mean(), rel=1e-5)
        # All originals are at right angles, at a cosine distance of 1.
        assert row["neighbour_ratio_mean"] == pytest.approx(row["shift_mean"], rel=1e-6)
        assert row["radius_low"] < row["radius_mean"] < row["radius_high"]
        assert row["radius_n"] == IMAGES
    assert found.flip_rate is None
    assert (found.prediction, found.refused) == (None, "")
    assert found.measure("border")[0] == found.radius.mean[0]
    assert len(found.to_pandas()) == len(NAMES)


def test_flips_and_how_well_they_are_predicted(labelled):
    found = open_run(labelled).worst_case(resamples=500)
    rates = {name: (angles(name) > FLIPS_ABOVE).mean() for name in found.transforms}
    assert found.flip_rate.mean.tolist() == pytest.approx(list(rates.values()))
    assert len(set(rates.values())) > 4
    for name in ("radius", "shift", "neighbour_ratio"):
        mean, low, high = found.prediction.measure(name)
        assert mean == pytest.approx(spearmanr(list(rates.values()), getattr(found, name).mean).statistic)
        assert np.isnan([low, high]).all()
    assert describe_prediction(found).endswith("; fewer than 60 images, so no interval")
    content = json.loads(invoke("explain", str(labelled), "--format", "json").stdout)
    assert content["prediction"]["radius"]["spearman"]["mean"] == pytest.approx(mean)
    assert content["prediction_refused"] is None


def test_flips_count_no_more_than_the_views_behind_them(tmp_path):
    # Every image flips at severity 5 alone: without spread over images, only the views limit what is known.
    folder = make_sweep(tmp_path / "run", NAMES[4:6], levels=(1, 5), missing={("crop", 5, 3)})
    add_labels(folder)
    found = open_run(folder).worst_case(resamples=200)
    rows = {row["transform"]: row for row in found.records()}
    for name, images in (("crop", IMAGES - 1), ("hue", IMAGES)):
        ends = binomtest(images, 2 * images).proportion_ci(method="wilson")
        assert [rows[name][f"flip_rate_{part}"] for part in ("mean", "low", "high")] == pytest.approx(
            [0.5, ends.low, ends.high]
        )


def test_below_eight_transforms_a_prediction_is_refused_in_one_line(tmp_path):
    folder = make_sweep(tmp_path / "run", NAMES[:7])
    add_labels(folder)
    for style in FORMATS:
        result = invoke("explain", str(folder), "--format", style)
        assert result.returncode == 0, result.stderr
        told = " ".join((result.stdout + result.stderr).split())
        assert told.count("7 transforms with known values; expected 8 or more") == 1
        assert "crop" in result.stdout


def test_an_image_without_all_of_its_views_does_not_count(tmp_path):
    folder = make_sweep(tmp_path / "run", NAMES[:2], missing={("blur", 5, 3)})
    found = open_run(folder).worst_case(resamples=200)
    n = dict(zip(found.transforms, found.radius.n.tolist(), strict=True))
    assert n == {"blur": IMAGES - 1, "noise": IMAGES}
    left = np.sin(np.delete(angles("blur"), 3, axis=0).max(axis=1) / 2).mean()
    assert found.measure("blur")[0] == pytest.approx(left, rel=1e-5)


@pytest.mark.parametrize("style", FORMATS)
def test_a_sweep_shows_its_worst_case_by_itself(sweep, style):
    result = invoke("explain", str(sweep), "--format", style)
    assert result.returncode == 0, result.stderr
    shown = invoke("explain", str(sweep), "--show", "worst", "--format", style).stdout
    assert without_command(result.stdout) == without_command(shown)
    assert not (sweep / "explain").exists()
    assert all(name in result.stdout for name in NAMES)


def without_command(text):
    """The text without the comment of a LaTeX table that says which command makes it."""
    return [line for line in text.splitlines() if not line.startswith("% embshift ")]


def test_csv_has_full_precision(sweep):
    text = invoke("explain", str(sweep), "--format", "csv", "--images", "8", "--seed", "2").stdout
    found = open_run(sweep).worst_case(images=8, seed=2).records()
    assert [float(line["radius_mean"]) for line in csv.DictReader(io.StringIO(text))] == [
        row["radius_mean"] for row in found
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--patch", "full"), "--patch is given, and the worst case of a sweep has no use for it"),
        (("--words", "w.txt"), "or add --show words"),
        (("--prompt", "a {}"), "--prompt is given without --labels; add --labels FILE"),
    ],
)
def test_options_of_the_network_are_refused(sweep, options, told):
    result = invoke("explain", str(sweep), *options)
    assert result.returncode == 2
    assert told in result.stderr


def test_what_is_no_sweep_is_refused(tmp_path):
    one_level = make_sweep(tmp_path / "one", levels=(3,))
    matched = make_sweep(tmp_path / "matched")
    (matched / "match.json").write_text("{}")
    for folder in (one_level, matched, make_run(tmp_path / "run", Wanted()).folder):
        with pytest.raises(RunError, match="make one with: embshift sweep SOURCE"):
            open_run(folder).worst_case()
        result = invoke("explain", str(folder), "--show", "worst")
        assert result.returncode == 2
        assert f"'{folder}' is not the folder of a sweep" in result.stderr


def test_labels_are_stored_without_running_the_network(samples, tmp_path):
    photos = write_crops(samples, tmp_path / "in", count=10, side=64)
    out = tmp_path / "sweep"
    options = {"encoder": "lite", "image_size": 64, "workers": 0}
    measure_sweep(photos, transforms=["blur", "noise"], severities=[1, 5], out=out, **options)
    (tmp_path / "labels.txt").write_text("cat\ndog\nhouse\n")
    shutil.rmtree(photos)  # no view can be made again
    result = invoke("explain", str(out), "--labels", str(tmp_path / "labels.txt"), "--format", "json")
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)["transforms"]
    assert {row["flip_rate_n"] for row in rows} == {10}
    assert invoke("explain", str(out), "--read-only", "--format", "json").stdout == result.stdout
    path = out / "explain" / "texts.parquet"
    assert verify_run(out, inputs=False).sound
    path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
    assert {fault.kind for fault in verify_run(out, inputs=False).faults} == {"explanation broken"}


def test_labels_of_the_users_own_vectors_need_no_words(samples, tmp_path):
    photos = write_crops(samples, tmp_path / "in", count=4, side=64)
    out = tmp_path / "sweep"
    options = {"encoder": "lite", "image_size": 64, "workers": 0}
    run = measure_sweep(photos, transforms=["blur"], severities=[1, 5], out=out, **options)
    rng = np.random.default_rng(0)
    texts = ["the cat", "the dog"]
    vectors = [rng.normal(size=run.info["encoder"]["dim"]).tolist() for _ in texts]
    pq.write_table(pa.table({"text": texts, "vector": vectors}), tmp_path / "vectors.parquet")
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    asked = ("--labels", str(tmp_path / "labels.txt"), "--vectors", str(tmp_path / "vectors.parquet"))
    result = invoke("explain", str(out), *asked, "--prompt", "the {}")
    assert result.returncode == 0, result.stderr
    assert "flip rate" in result.stdout
