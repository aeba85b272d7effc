"""Very many pictures: what a run holds in memory grows with its chunks, not with its pictures."""

import json
import subprocess
import sys

import pytest

from tests.faults.amounts import FULL, amount

LISTED = """
import json, sys
from pathlib import Path
from embshift.runs.listing_changes import compare_listing
from embshift.runs.listing import Listing, freeze_listing, write_listing
from embshift.core.types import ImageRecord

def records():
    for at in range(count):
        name = f"{at // 1000:06d}/{at:010d}.jpg"
        yield ImageRecord(row=at, source="/no/such", member=name, path=f"/no/such/folder/{name}")

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

found = []
for count in map(int, sys.argv[2:]):
    path = Path(sys.argv[1]) / str(count)
    write_listing(path, freeze_listing(records(), count=count, chunk=64, sample=2000, seed=0))
    rows = Listing(path)
    assert sum(1 for _ in rows) == len(rows) == count and rows.sampled == 2000
    assert len(rows.chunks) == -(-count // 64)
    change = compare_listing(rows, records)
    assert (change.new.count, change.gone.count, change.changed.count) == (0, 0, 0)
    found.append(resident())
print(json.dumps(found))
"""

RUN = """
import sys
from embshift.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory from /proc")
@pytest.mark.slow
def test_a_listing_is_never_held(tmp_path, tally):
    few, many = 20_000, amount(full=2_000_000, quick=100_000)
    done = subprocess.run(
        [sys.executable, "-c", LISTED, str(tmp_path), str(few), str(many)],
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = json.loads(done.stdout)
    each = (after - before) / (many - few)
    # A listing in memory takes five hundred and more.
    lost = [] if each < amount(full=12, quick=100) else [f"{each:.0f} bytes a picture"]
    tally(
        tried=many, lost=lost, measured=f"{after / 1e6:.0f} MB at most, {max(0.0, each):.1f} bytes a picture"
    )


@pytest.mark.skipif(not FULL, reason="minutes: make faults")
def test_a_run_of_very_many_inputs_stays_small(tmp_path, tally):
    """Inputs that cannot be read, so that it is the bookkeeping that is measured."""
    sizes = []
    for count in (20_000, 200_000):
        folder = tmp_path / f"in-{count}"
        for at in range(count):
            if at % 1000 == 0:
                (folder / f"{at // 1000:04d}").mkdir(parents=True)
            (folder / f"{at // 1000:04d}" / f"{at:08d}.jpg").touch()
        out = tmp_path / f"run-{count}"
        command = ["run", str(folder), "--encoder", "lite", "--out", str(out), "--transform", "blur"]
        options = ["--image-size", "32", "--workers", "2", "--max-error-rate", "1"]
        # All are lost, which is an exit code of its own.
        done = subprocess.run(
            [sys.executable, "-c", RUN, *command, *options], capture_output=True, text=True, check=False
        )
        assert done.returncode == 3, done.stderr[-2000:]
        info = json.loads((out / "run.json").read_text())
        assert (info["state"], info["counts"]["failed"]) == ("finished", count)
        sizes.append(info["sessions"][-1]["peak_memory_bytes"])
    each = (sizes[1] - sizes[0]) / 180_000
    lost = [] if each < 100 else [f"{each:.0f} bytes a picture"]
    measured = f"{sizes[0] / 1e6:.0f} and {sizes[1] / 1e6:.0f} MB, {each:.0f} bytes a picture"
    tally(tried=220_000, lost=lost, measured=measured)
