"""A synthetic run, once a session. The imports are the canary: without the libraries nothing passes."""

import os

import pytest

from tests.synthetic_runs import Wanted, make_run

# Nothing may leave the machine.
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Nine transforms of twelve images, two draws each, with kept views."""
    wanted = Wanted(images=12, draws=2, undefined=(("blur", "l2"),))
    return make_run(tmp_path_factory.mktemp("handover") / "run", wanted)
