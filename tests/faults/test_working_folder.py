"""Files in the working folder: none runs because a library has a module of the same name."""

import importlib.metadata
import os
import subprocess
import sys

import numpy as np
import pytest

from embshift.core.types import FrozenRow, ImageRecord
from embshift.measurement.engine.pool import perturb_images
from embshift.measurement.engine.worker_handle import order_path
from tests.integration.command import call
from tests.unit.worker_recipes import build

MARK = "open({mark!r}, 'a').write({name!r} + '\\n'); raise RuntimeError({name!r})"
"""What a planted file does when it is imported."""

OPTIONS = ("--encoder", "lite", "--transform", "blur", "--metric", "cosine")


IMPORTED = ("albumentations", "cv2", "json", "multiprocessing", "numpy", "pickle", "queue", "signal", "yaml")
"""Modules that a worker imports; one that is not installed is rightly found on the import path."""


def plant(folder, mark):
    """Plant a file for each module of the standard library and of everything installed."""
    names = {*sys.stdlib_module_names, *importlib.metadata.packages_distributions(), "sitecustomize"}
    names |= {"usercustomize", "cupy", "orjson", "simplejson", "yaml", "triton", "pytz"}
    planted = sorted(name for name in names if name.isidentifier())
    plant_names(folder, mark, planted)
    return planted


def plant_names(folder, mark, names):
    for name in names:
        (folder / f"{name}.py").write_text(MARK.format(mark=str(mark), name=name))


@pytest.mark.slow
def test_nothing_in_the_working_folder_takes_the_place_of_a_library(photos, tmp_path, tally):
    mark, place = tmp_path / "mark", tmp_path / "place"
    place.mkdir()
    planted = plant(place, mark)
    done = call("run", str(photos), "--out", str(tmp_path / "run"), "--workers", "1", *OPTIONS, cwd=place)
    tally(tried=len(planted), lost=mark.read_text().split() if mark.exists() else [])
    assert done.returncode == 0, done.stderr


def test_nor_in_a_worker(tmp_path, monkeypatch, tally):
    mark, place = tmp_path / "mark", tmp_path / "place"
    place.mkdir()
    planted = plant(place, mark)
    monkeypatch.chdir(place)
    made = list(perturb_images(list_images(2), build=build, workers=1))
    tally(tried=len(planted), lost=mark.read_text().split() if mark.exists() else [])
    assert [one.decoded.status for one in made] == ["ok", "ok"]


@pytest.mark.parametrize("entry", ["", "."])
def test_nor_in_a_worker_of_a_program_that_imports_from_there(tmp_path, monkeypatch, tally, entry):
    statuses = [one.decoded.status for one in perturb_images(list_images(2), build=build, workers=1)]
    mark, place = tmp_path / "mark", tmp_path / "place"
    place.mkdir()
    plant_names(place, mark, IMPORTED)
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "path", [entry, *sys.path])  # as with `python -c` and `python -m`
    made = list(perturb_images(list_images(2), build=build, workers=1))
    tally(tried=len(IMPORTED), lost=mark.read_text().split() if mark.exists() else [])
    assert [one.decoded.status for one in made] == statuses


def list_images(count):
    pixels = np.zeros((8, 8, 3), np.uint8)
    records = [
        ImageRecord(row=row, source="memory", member="", index=row, content=pixels) for row in range(count)
    ]
    return [FrozenRow(record=record, sampled=False, chunk=0) for record in records]


PRESET = """
name = "own"
summary = "One function."

[[transform]]
name = "invert"
function = "my_own:invert"
"""


@pytest.mark.slow
def test_a_function_in_the_working_folder_still_loads_in_a_worker(photos, tmp_path):
    (tmp_path / "my_own.py").write_text("def invert(pixels):\n    return 255 - pixels\n")
    (tmp_path / "own.toml").write_text(PRESET)
    options = ["--workers", "1", "--preset", "own.toml", "--encoder", "lite", "--metric", "cosine"]
    done = subprocess.run(
        [sys.executable, "-m", "embshift", "run", str(photos), "--out", "run", *options],
        cwd=tmp_path,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_working_folder_is_last_however_it_is_written(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "link").symlink_to("here")
    monkeypatch.chdir(tmp_path / "here")
    here = os.getcwd()
    for entry in ("", ".", here, str(tmp_path / "link")):
        assert order_path([entry, "/usr/none", "lib.zip"]) == ["/usr/none", "lib.zip", here]
    assert order_path(["/usr/none"]) == ["/usr/none"]
