"""What ends or holds a worker costs one picture, and its row says why."""

import time
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from embshift.measurement.engine.pool import perturb_images
from embshift.measurement.engine.worker import WorkerLimits
from tests.faults.amounts import amount
from tests.faults.killers import KILLERS, KILLS, deadly, ended_by, hanging
from tests.faults.sessions import measure, quickly
from tests.unit.test_workers import items

LIMITS = WorkerLimits(memory=2**31, seconds=2.0)
COUNT = amount(full=10_000, quick=140)


def among(count, chosen):
    """Items of which only the chosen one is in the sample, so that only it meets the metric."""
    return [replace(item, sampled=item.record.row == chosen) for item in items(count)]


def statuses(build, chosen):
    stream = perturb_images(among(5, chosen), build=build, workers=1, limits=LIMITS)
    return [(one.decoded.status, one.decoded.error) for one in stream]


@pytest.mark.parametrize("number", KILLS)
def test_a_signal_costs_one_picture_and_is_named(number):
    found = statuses(partial(ended_by, number), 2)
    assert [status for status, _ in found] == ["ok", "ok", "worker_died", "ok", "ok"]
    assert f"signal {number.name}" in found[2][1]


def test_a_picture_that_hangs_is_given_up_after_its_time():
    found = statuses(hanging, 2)
    assert [status for status, _ in found] == ["ok", "ok", "timed_out", "ok", "ok"]
    assert "not done after 2 s, tried twice (--timeout)" in found[2][1]


@pytest.fixture(scope="module")
def among_others(tmp_path_factory):
    """A folder of uniform pictures, of which seven are killers; and the status of each by its name."""
    folder, rng = tmp_path_factory.mktemp("killers"), np.random.default_rng(0)
    levels = rng.integers(0, 240, COUNT)
    levels[rng.choice(COUNT, len(KILLERS), replace=False)] = list(KILLERS)
    expected = {}
    for number, level in enumerate(levels.tolist()):
        name = f"{number:05d}.png"
        Image.new("RGB", (8 + number % 97, 8 + number // 97), (level,) * 3).save(folder / name)
        expected[name] = KILLERS[level][1] if level in KILLERS else "ok"
    return folder, expected


@pytest.mark.slow
def test_seven_killers_cost_seven_pictures(among_others, tmp_path, tally):
    folder, expected = among_others
    options = {"transforms": {"deadly": deadly}, "metrics": ["cosine", "ssim"], "keep_views": 0, "batch": 16}
    began = time.monotonic()
    with quickly(chunk=512):
        run = measure(
            folder, tmp_path / "run", workers=2, timeout=5, worker_memory=1024, max_aspect=1000, **options
        )
    seconds = time.monotonic() - began
    rows = run.images().select(["member", "row", "status", "error"]).to_pylist()
    views = [line for line in views_of(run) if line["status"] != "ok"]
    failed = [row for row in rows if row["status"] != "ok"] + views
    members = {row["row"]: row["member"] for row in rows}
    found = {row["member"]: row["status"] for row in rows} | {members[v["row"]]: v["status"] for v in views}
    lost = [name for name in expected if found.get(name) != expected[name]]
    bad = Counter(line["status"] for line in failed)
    measured = ", ".join(f"{count} {status}" for status, count in sorted(bad.items()))
    tally(tried=COUNT, lost=lost, measured=f"exactly {measured}; {seconds:.0f} s")
    assert len(rows) == COUNT
    assert len(failed) == len(KILLERS)
    assert len(views) == 1
    assert all(line["error"] for line in failed)
    assert "MemoryError" in views[0]["error"]


def views_of(run):
    """Status and error of every view but the originals."""
    files = sorted((run.folder / "embeddings").glob("*.parquet"))
    lines = pq.ParquetDataset(files).read(columns=["row", "transform", "status", "error"]).to_pylist()
    return [line for line in lines if line["transform"] == "deadly"]
