"""Shapes are checked while testing; pictures and runs are made once a session."""

import os
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

import tests.shapes  # noqa: F401 - the hook looks it up by name

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # as the command sets it

# Before anything of the package is imported: every annotated shape is then checked at every call.
install_import_hook("embshift", "tests.shapes.typechecker")

SAMPLES = Path(str(files("embshift.images") / "samples"))


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
