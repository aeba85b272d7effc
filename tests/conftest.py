"""Shapes are checked while testing; pictures and runs are made once a session."""

import gc
import os
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from tests import shapes

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["EMBSHIFT_CACHE"] = "off"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # as the command sets it

# Thousands of tests leave millions of objects that stay: looking through them at the usual rate takes a
# fifteenth of the time of all tests.
gc.set_threshold(50_000, 20, 50)

# No test cuts the power, and what a killed process has written stays: to wait for the disk at every flush
# would take longer than many tests compute. Commands in processes of their own flush as they do for users.
os.fsync = os.fstat

# Before anything of the package is imported.
shapes.install("embshift")

SAMPLES = Path(str(files("embshift.images") / "samples"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    shapes.begin_test()


@pytest.fixture(scope="session")
def samples() -> Path:
    """The 36 photographs of the package."""
    return SAMPLES


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six of them in a folder of their own."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "cat", "crab", "dog", "espresso", "panda"):
        shutil.copy(SAMPLES / f"{name}.jpg", folder)
    return folder


@pytest.fixture(scope="session")
def lite_run(photos: Path, tmp_path_factory: pytest.TempPathFactory):
    """A finished run of the paper preset on the six, by the bundled encoder."""
    import embshift

    return embshift.measure(photos, encoder="lite", workers=0, out=tmp_path_factory.mktemp("runs") / "lite")
