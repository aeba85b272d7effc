"""One synthetic run of nine transforms for all tests that only look."""

import pytest

from embshift.show.figures.material import Material
from tests.synthetic_runs import Wanted, make_run


@pytest.fixture(scope="session")
def nine(tmp_path_factory):
    """Nine transforms, twelve images, every metric of the paper, and an explanation."""
    return make_run(tmp_path_factory.mktemp("figures") / "nine", Wanted(explained=True))


@pytest.fixture(scope="session")
def material(nine):
    return Material(run=nine)
