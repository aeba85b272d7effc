"""FiftyOne's importer, in an environment of its own, loads the data set; only its data base is a stand-in."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import embshift

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("FIFTYONE_PYTHON", str(ROOT / ".venv-fiftyone" / "bin" / "python"))
LOADER = Path(__file__).parent / "load_fiftyone.py"


def test_its_importer_loads_the_data_set(run, tmp_path):
    exported = embshift.export(run, to="fiftyone", out=tmp_path / "dataset")
    # The sources of embshift are not on the path of the other environment.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [PYTHON, LOADER, exported.path],
        capture_output=True,
        text=True,
        env=environment | {"HOME": str(tmp_path)},
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    line = run.shifts().filter(run.shifts()["row"].to_numpy() == 0).to_pylist()[0]
    assert (found["samples"], found["originals"]) == (12 * 19, 12)
    assert {
        "row",
        "member",
        "transform",
        "draw",
        "shown",
        "embedding",
        *(m.name for m in run.metrics),
    } <= set(found["fields"])
    assert found["embedding"] == pytest.approx(run.embeddings().values[0].tolist())
    assert (line["transform"], line["draw"], line["metric"]) == (found["transform"], 0, "cosine")
    assert found["cosine"] == [None, pytest.approx(line["value"])]
    assert Path(found["file"]).is_relative_to(run.folder)
