"""What a run recorded, computed again from what it kept, by the literal writing of the equations."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from embshift.runs.schema import TABLES
from embshift.transforms.perturb import pixels_digest
from tests.reference import metrics_reference as reference

PIXELS = {
    "patch_similarity": reference.patch_similarity,
    "edge_similarity": reference.edge_similarity,
    "detail_similarity": reference.detail_similarity,
}


@pytest.fixture(scope="module")
def shifts(lite_run):
    rows = lite_run.shifts().to_pylist()
    return {(row["image_id"], row["transform"], row["metric"]): row["value"] for row in rows}


@pytest.fixture(scope="module")
def views(lite_run):
    found = {}
    for path in (lite_run.folder / "views").glob("*/*.png"):
        found[path.parent.name, path.stem.removesuffix("-0")] = np.asarray(Image.open(path))
    return found


def test_every_view_is_kept_and_is_what_was_measured(lite_run, views):
    table = pq.read_table(lite_run.folder / "embeddings").to_pylist()
    digests = {(row["image_id"], row["transform"]): row["pixels_digest"] for row in table}
    assert len(digests) == 6 * 10
    assert {key: pixels_digest(pixels) for key, pixels in views.items()} == digests


def test_pixel_metrics_are_the_equations_on_the_resized_pixels(lite_run, shifts, views):
    for image_id in {key[0] for key in views}:
        for transform in lite_run.transforms:
            for metric, equation in PIXELS.items():
                wanted = equation(views[image_id, "original"], views[image_id, transform])
                assert shifts[image_id, transform, metric] == pytest.approx(wanted, rel=1e-6), (
                    transform,
                    metric,
                )


def test_embedding_metrics_are_the_equations_on_the_recorded_embeddings(lite_run, shifts):
    table = pq.read_table(lite_run.folder / "embeddings").to_pylist()
    vectors = {(row["image_id"], row["transform"]): row["embedding"] for row in table}
    for (image_id, transform), vector in vectors.items():
        if transform == "original":
            continue
        original = vectors[image_id, "original"]
        wanted = reference.cosine_similarity(original, vector)
        assert shifts[image_id, transform, "cosine"] == pytest.approx(wanted, rel=1e-6)
        assert shifts[image_id, transform, "l2"] == pytest.approx(
            reference.l2_distance(original, vector), rel=1e-6
        )


def test_attention_similarity_is_the_equation_on_the_recorded_maps(lite_run, shifts):
    recorded = {(row["image_id"], row["transform"]): row for row in lite_run.attention().to_pylist()}

    def draw_map(image_id, transform):
        row = recorded[image_id, transform]
        _, _, height, width = row["field"]
        return reference.attention_map(row["map"], row["rows"], row["columns"], int(height), int(width))

    for image_id in sorted({image_id for image_id, _ in recorded})[:2]:  # drawing a map takes a while
        original = draw_map(image_id, "original")
        for transform in ("noise", "horizontal_flip"):
            wanted = reference.attention_similarity(original, draw_map(image_id, transform))
            # The maps are recorded in float32.
            assert shifts[image_id, transform, "attention_similarity"] == pytest.approx(wanted, rel=1e-6)


def test_tables_have_the_documented_columns(lite_run):
    for name, table in TABLES.items():
        schema = pq.read_schema(next((lite_run.folder / name).glob("*.parquet")))
        assert schema.remove_metadata().equals(table.arrow(dim=lite_run.info["encoder"]["dim"])), name


def test_the_summary_is_the_mean_over_images(lite_run, shifts):
    for row in lite_run.summary().rows:
        for metric, cell in row.cells.items():
            found = [
                value
                for (_, transform, name), value in shifts.items()
                if (transform, name) == (row.transform, metric)
            ]
            assert cell.n == len(found) == 6
            assert cell.mean == pytest.approx(math.fsum(found) / 6, rel=1e-12)
            assert cell.deviation == pytest.approx(np.std(found, ddof=1), rel=1e-9)


def test_parameters_say_what_was_drawn(lite_run):
    table = pq.read_table(lite_run.folder / "embeddings").to_pylist()
    drawn = {row["transform"]: json.loads(row["parameters"]) for row in table if row["row"] == 0}
    assert -15 <= drawn["shift_scale_rotate"]["rotate"] <= 15
    assert 6 <= len(drawn["coarse_dropout"]["holes"]) <= 8


def test_other_programs_read_the_folder(lite_run):
    import duckdb
    import pandas as pd

    counted = duckdb.sql(f"select count(*) from '{lite_run.folder}/shifts/*.parquet'").fetchall()
    assert counted == [(6 * 9 * 6,)]
    assert len(pd.read_parquet(lite_run.folder / "embeddings")) == 60
    assert lite_run.to_pandas()["member"].nunique() == 6
