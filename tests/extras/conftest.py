"""The small networks, once a session. The imports are the canary: without the libraries nothing passes."""

import numpy as np
import pytest

from tests.extras import networks


@pytest.fixture(scope="session", autouse=True)
def table(tmp_path_factory):
    """open_clip's table with the small networks."""
    networks.register(tmp_path_factory.mktemp("configurations"))


@pytest.fixture(scope="session")
def open_clip_file(tmp_path_factory, table):
    """Return the saved weights of a small network of open_clip."""
    return _make_saver(tmp_path_factory.mktemp("open_clip"), networks.make_open_clip)


@pytest.fixture(scope="session")
def timm_file(tmp_path_factory):
    """Return the saved weights of a small network of timm."""
    return _make_saver(tmp_path_factory.mktemp("timm"), networks.make_timm)


def _make_saver(folder, make):
    def find(name):
        file = folder / f"{name}.safetensors"
        return file if file.exists() else networks.save(make(name), file)

    return find


@pytest.fixture(scope="session", params=[(64, 64), (224, 224), (75, 131), (201, 97)], ids=str)
def views(request):
    """Five views of one size, also of odd ones."""
    return np.random.default_rng(0).integers(0, 256, (5, *request.param, 3), dtype=np.uint8)
