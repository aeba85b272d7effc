"""Two Ray nodes on loopback give the bytes of a local run; faults of real actors are in `make test-ray`."""

import pytest

from embshift.runs.record import read_record_file
from embshift.runs.schema import TABLES
from tests.faults.sessions import contents, write_pictures
from tests.integration.command import call
from tests.ray_nodes import ENVIRONMENT, start_nodes

OPTIONS = ("--encoder", "lite", "--image-size", "32", "--transform", "blur", "--transform", "noise")
OPTIONS += ("--metric-sample", "7", "--batch", "8", "--threads", "1", "--chunk", "4")


@pytest.mark.slow
def test_two_nodes_give_the_bytes_of_a_local_run(tmp_path, monkeypatch):
    write_pictures(tmp_path / "in", count=16)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    local = call("run", str(tmp_path / "in"), *OPTIONS, "--out", str(tmp_path / "local"))
    assert local.returncode == 0, local.stderr
    with start_nodes(2) as nodes:
        ray = ("--engine", "ray", "--address", nodes.address)
        done = call("run", str(tmp_path / "in"), *OPTIONS, *ray, "--out", str(tmp_path / "ray"))
    assert done.returncode == 0, done.stderr
    assert "Ray: 2 actors of 1 CPU, each with 1 worker process" in done.stderr
    assert "16 of 16 images" in done.stderr
    assert "raylet" not in done.stdout + done.stderr
    for name in (*TABLES, "views"):
        assert contents(tmp_path / "ray" / name) == contents(tmp_path / "local" / name), name
    one, other = (read_record_file(tmp_path / name) for name in ("ray", "local"))
    assert one["files"] == other["files"]
