"""The lines of the page on hand-over run as they stand, in a folder with a run."""

import re
from pathlib import Path

import mlflow
import pytest

from tests.synthetic_runs import Wanted, make_run

PAGE = Path(__file__).parents[2] / "docs" / "hand-over.md"
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("block", [block for block in BLOCKS if "fiftyone" not in block])
def test_a_block_of_the_page_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setattr("trackio.sqlite_storage.TRACKIO_DIR", tmp_path)
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    make_run(tmp_path / "run", Wanted(images=4, transforms=("blur", "noise")))
    exec(block, {})
