"""`embshift sweep` and `embshift match` as a user starts them: run, asked again, stopped, mistaken."""

import csv
import io
import json
import random
import shutil
import signal
import time
from functools import cache

import pyarrow.parquet as pq
import pytest

from tests.integration.command import invoke, start
from tests.integration.crops import write_crops
from tests.integration.tables import assert_identical

SMALL = ("--encoder", "lite", "--image-size", "64", "--workers", "0")
SWEEP = ("--transforms", "blur", "jpeg", "--severities", "1", "3", "5", *SMALL)
MATCH = ("--transforms", "blur", "noise", "rotate", "--ssim", "0.8", "--displacement", "4", *SMALL)
COMMANDS = {"sweep": SWEEP, "match": MATCH}


@pytest.fixture(scope="module")
def pictures(samples, tmp_path_factory):
    return write_crops(samples, tmp_path_factory.mktemp("levels") / "in", count=8, side=80)


@pytest.fixture(scope="module")
def made(pictures, tmp_path_factory):
    """Return a function that gives the finished run of a command, and what the command said."""

    @cache
    def make(command):
        out = tmp_path_factory.mktemp(command) / "run"
        return out, invoke(command, str(pictures), *COMMANDS[command], "--out", str(out))

    return make


@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_is_made_and_asked_again(command, made, pictures):
    out, first = made(command)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == f"run folder: {out}"
    again = invoke(command, str(pictures), *COMMANDS[command], "--out", str(out))
    assert again.returncode == 0, again.stderr
    assert "nothing left to do" in again.stderr
    assert again.stdout == first.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_its_report_shows_what_it_asked(command, made, tmp_path):
    out, _ = made(command)
    page = tmp_path / "report.html"
    assert invoke("report", str(out), "--out", str(page)).returncode == 0
    title = {"sweep": "Shift by level", "match": "Transforms at equal damage"}[command]
    assert title in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_programs_read_is_all_that_stands_on_stdout(command, made, pictures):
    out, _ = made(command)
    arguments = (command, str(pictures), *COMMANDS[command], "--out", str(out))
    found = json.loads(invoke(*arguments, "--format", "json").stdout)
    lines = list(csv.DictReader(io.StringIO(invoke(*arguments, "--format", "csv").stdout)))
    names = {line["transform"] for line in lines}
    if command == "sweep":
        assert names == {one["transform"] for one in found["transforms"]} == {"blur", "jpeg"}
        assert len(lines) == 2 * 3
    else:
        assert names == {"blur", "noise", "rotate"}
        assert [group["kind"] for group in found["groups"]] == ["ssim", "displacement"]
        unmatched = {line["transform"]: float(line["shift"]) for line in lines if line["kind"] == "unmatched"}
        assert unmatched == {one["transform"]: one["shift"] for one in found["unmatched"]}
        table = pq.ParquetDataset(sorted((out / "shifts").glob("*.parquet"))).read().to_pandas()
        for name in ("blur", "noise"):
            own = table[(table["transform"] == name) & (table["metric"] == "cosine")]
            assert unmatched[name] == pytest.approx(1 - own["value"].mean())
        assert set(unmatched) == {"blur", "noise"}, "the paper has no transform of the name rotate"


@pytest.mark.parametrize(
    ("command", "number"),
    [("sweep", signal.SIGINT), pytest.param("match", signal.SIGTERM, marks=pytest.mark.slow)],
)
def test_a_stopped_run_goes_on_to_the_same_bits(command, number, made, pictures, tmp_path):
    whole, _ = made(command)
    arguments = (command, str(pictures), *COMMANDS[command], "--workers", "1", "--out", str(tmp_path / "run"))
    process = start(arguments)
    deadline, wait = time.monotonic() + 60, random.Random(int(number)).uniform(0, 0.5)
    while not (tmp_path / "run").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(wait)
    process.send_signal(number)
    process.communicate(timeout=60)
    # A run may have come to its end before the signal.
    assert process.returncode in (128 + number, 0, -number)
    assert invoke(*arguments).returncode == 0
    assert_identical(whole, tmp_path / "run")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sweep", "--transforms", "blu"), "unknown transform 'blu'; did you mean 'blur'"),
        (("sweep", "--transforms", "blur", "--severities", "6"), "6"),
        (("sweep", "--transforms", "horizontal_flip"), "horizontal_flip"),
        (("match", "--ssim", "1.5"), "1.5"),
        (("match", "--displacement", "-3"), "-3"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_begun(arguments, said, pictures, tmp_path):
    command, *options = arguments
    done = invoke(command, str(pictures), *options, *SMALL, "--out", str(tmp_path / "run"))
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "run").exists()


def test_terminal_sequences_in_names_are_printed_harmless(pictures, tmp_path):
    odd = tmp_path / "\x1b[2Jodd\x07"
    shutil.copytree(pictures, odd)
    (odd / "\x1b[2Jno picture.jpg").write_bytes(b"no picture")
    quick = {"sweep": SWEEP, "match": ("--transforms", "blur", "--ssim", "0.8", *SMALL)}
    for command, options in quick.items():
        done = invoke(command, str(odd), *options, "--out", str(tmp_path / f"\x1b[2J{command}"))
        assert done.returncode == 0, done.stderr
        assert "run folder: " in done.stdout
        assert not {"\x1b", "\x07"} & set(done.stdout + done.stderr)
    done = invoke("sweep", str(odd), *SWEEP, "--out", str(tmp_path / "\x1b[2Jsweep"))
    assert "1 of 9 images" in done.stderr
