"""The embedding-atlas of the environment loads the file, serves it, and finds every neighbour."""

import io
import json

import numpy as np
import pyarrow.ipc as ipc
import pytest
from embedding_atlas.graph_metrics import compute_pagerank_column
from embedding_atlas.utils import load_pandas_data
from PIL import Image

import embshift
from tests.handover.loopback import fetch, free_port, serving


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return embshift.export(run, to="embedding-atlas", out=tmp_path_factory.mktemp("atlas") / "run.parquet")


def test_its_loader_reads_the_table(run, exported):
    table = load_pandas_data(str(exported.path))
    assert len(table) == exported.points == 12 * 19
    assert np.isfinite(table[["x", "y"]].to_numpy()).all()
    image = Image.open(io.BytesIO(table["image"][0]["bytes"]))
    assert (image.format, image.size) == ("JPEG", (40, 40))
    assert set(table["transform"]) == {"original", *run.transforms}


@pytest.mark.filterwarnings("ignore")  # of UMAP and torch
def test_its_graph_metrics_take_the_neighbours(exported):
    table = load_pandas_data(str(exported.path))
    ranks = np.array(compute_pagerank_column(table, neighbors="neighbors"))
    assert ranks.sum() == pytest.approx(1)


def test_its_server_answers_with_the_points(exported, tmp_path):
    port = free_port()
    options = ("--x", "x", "--y", "y", "--neighbors", "neighbors", "--image", "image")
    serve = ("--host", "127.0.0.1", "--port", port, "--no-auto-port")
    with serving(
        "embedding-atlas",
        exported.path,
        *options,
        *serve,
        port=port,
        ready="/data/metadata.json",
        folder=tmp_path,
    ) as address:
        props = json.loads(fetch(f"{address}/data/metadata.json"))["props"]
        query = {
            "type": "arrow",
            "sql": "SELECT x, neighbors, image FROM dataset WHERE transform = 'original'",
        }
        answer = fetch(f"{address}/data/query", json.dumps(query).encode())
        page = fetch(f"{address}/")
    assert props["data"]["projection"] == {"x": "x", "y": "y"}
    assert (props["data"]["neighbors"], props["data"]["image"]) == ("neighbors", "image")
    found = ipc.open_stream(answer).read_all()
    assert len(found) == 12
    assert len(found["neighbors"][0]["ids"].as_py()) == 10
    assert found["image"][0]["bytes"].as_py().startswith(b"\xff\xd8\xff")
    assert b"<html" in page
