"""TensorBoard's projector, asked over HTTP, answers with the tensors, their metadata and the sprite."""

import io
import json

import numpy as np
import pytest
from PIL import Image

import embshift
from tests.handover.loopback import fetch, free_port, serving


def test_the_projector_answers_with_the_points(run, tmp_path):
    exported = embshift.export(run, to="projector", out=tmp_path / "projected")
    port, base = free_port(), "/data/plugin/projector"
    arguments = ("--logdir", exported.path, "--host", "127.0.0.1", "--port", port)
    with serving("tensorboard", *arguments, port=port, ready=f"{base}/runs", folder=tmp_path) as address:
        runs = json.loads(fetch(f"{address}{base}/runs"))
        config = json.loads(fetch(f"{address}{base}/info?run=."))
        (embedding,) = config["embeddings"]
        named = f"run=.&name={embedding['tensorName']}"
        tensor = np.frombuffer(fetch(f"{address}{base}/tensor?{named}"), np.float32)
        metadata = fetch(f"{address}{base}/metadata?{named}").decode()
        sprite = fetch(f"{address}{base}/sprite_image?{named}")
    assert runs == ["."]
    assert embedding["tensorName"] == "synthetic"
    assert embedding["tensorShape"] == [12 * 19, 8]
    first = run.embeddings().values[0]
    assert tensor.reshape(12 * 19, 8)[0] == pytest.approx(first, rel=1e-6)
    header, *lines = metadata.rstrip("\n").split("\n")
    assert header.split("\t")[:3] == ["member", "transform", "draw"]
    assert len(lines) == 12 * 19
    side = embedding["sprite"]["singleImageDim"]
    image = Image.open(io.BytesIO(sprite))
    assert (image.width // side[0]) * (image.height // side[1]) >= 12 * 19
