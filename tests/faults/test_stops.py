"""Stopped at random moments, many times: nothing lost, nothing twice, the same bits, and soon.

The full numbers alone: `tests/integration/test_interruption.py` stops runs with every test.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.amounts import FULL
from tests.integration.crops import write_crops
from tests.integration.tables import assert_identical, read

pytestmark = pytest.mark.skipif(not FULL, reason="minutes of stopped runs: make faults")

PICTURES, TIMES = 150, 20
OPTIONS = ("--encoder", "lite", "--image-size", "32", "--transform", "blur", "--transform", "noise")


@pytest.fixture(scope="module")
def crops(samples, tmp_path_factory):
    return write_crops(samples, tmp_path_factory.mktemp("crops"), count=PICTURES, side=48)


def drive(crops, folder, *, number: int, workers: int) -> dict:
    command = ["run", str(crops), *OPTIONS, "--metric-sample", "50", "--workers", str(workers)]
    arguments = [str(folder), str(TIMES), str(int(number)), "0", *command]
    driver = [sys.executable, "-W", "ignore", "-m", "tests.faults.driver", *arguments]
    found = subprocess.run(driver, capture_output=True, text=True, timeout=590, check=True)
    answer = json.loads(found.stdout.splitlines()[-1])
    assert (answer["whole"], answer["last"]) == (0, 0), found.stderr[-3000:]
    return answer


def check_folders(answer: dict, folder: Path) -> None:
    for one in map(Path, answer["folders"]):
        assert read(one, "images")["row"].to_pylist() == list(range(PICTURES))
        assert_identical(folder / "whole", one)


def test_killed_at_random_points(crops, tmp_path, tally):
    answer = drive(crops, tmp_path, number=signal.SIGKILL, workers=0)
    check_folders(answer, tmp_path)
    sent = [stop for stop in answer["stops"] if stop["sent"]]
    lost = [stop for stop in sent if stop["code"] != -signal.SIGKILL or stop["orphans"]]
    tally(
        tried=len(sent), lost=lost, measured=f"{len(answer['folders'])} runs finished, bit for bit the same"
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_it_within_ten_seconds(crops, tmp_path, number, code, tally):
    answer = drive(crops, tmp_path, number=number, workers=1)
    check_folders(answer, tmp_path)
    assert not list(tmp_path.rglob("*.tmp"))
    sent = [stop for stop in answer["stops"] if stop["sent"]]
    # A signal that comes when the last file is written may find the command already done.
    lost = [s for s in sent if s["code"] not in (0, code) or s["seconds"] > 10 or s["orphans"]]
    longest = max(stop["seconds"] for stop in sent)
    tally(tried=len(sent), lost=lost, measured=f"slowest {longest:.2f} s")
