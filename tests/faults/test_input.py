"""Whatever is in the folder: every input has exactly one row, and what is readable is right."""

import io
import json
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

import embshift
from embshift.core.types import ImageRecord
from embshift.images import Limits, decode, list_sources
from embshift.runs.listing import write_listing
from tests.faults.amounts import FULL, amount
from tests.faults.bombs import bombs, png
from tests.faults.corpora import corpus
from tests.integration.command import invoke
from tests.integration.crops import write_crops

QUICK = (
    "--encoder",
    "lite",
    "--image-size",
    "32",
    "--transform",
    "blur",
    "--metric",
    "cosine",
    "--workers",
    "0",
)


def decoded_apart(paths: list[Path], folder: Path) -> dict:
    """What a fresh process says of decoding these files; every warning is an error in it."""
    listed = folder / "listed.txt"
    listed.write_bytes(b"\n".join(os.fsencode(path) for path in paths))
    command = [sys.executable, "-W", "error", "-m", "tests.faults.decode_all", str(listed)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=500, check=True)
    return json.loads(found.stdout.splitlines()[-1])


def said(found: dict) -> str:
    cost = f"slowest {found['slowest']:.2f} s of a processor, peak {found['peak_mb']:.0f} MB"
    return f"{found['seconds']:.1f} s, {cost}"


def bad_files(folder: Path, good: Path, *, count: int) -> None:
    """``count`` files that are no pictures, or none that may be used, under names of pictures."""
    folder.mkdir(parents=True)
    whole, rng = good.read_bytes(), random.Random(0)
    kinds = [
        lambda: b"",
        lambda: b"<!DOCTYPE html><html><body>404 not found</body></html>",
        lambda: whole[: rng.randrange(200, len(whole) - 200)],
        lambda: rng.randbytes(500),
        lambda: png(100_000, 100_000),
        lambda: png(1, 3000),
        lambda: "just words, é".encode(),
        lambda: b"\xff\xd8\xff\xe0" + bytes(60),
    ]
    for number in range(count):
        suffix = ("jpg", "png", "webp", "tiff")[number % 4]
        (folder / f"bad-{number:03d}.{suffix}").write_bytes(kinds[number % len(kinds)]())


def test_good_and_bad_are_rows_alike(samples, tmp_path, tally):
    good, bad = amount(full=1000, quick=50), amount(full=40, quick=8)
    folder, out = write_crops(samples, tmp_path / "in", count=good, side=48), tmp_path / "run"
    for number, path in enumerate(sorted(folder.rglob("*.jpg"))[: good // 10]):
        if number % 2:  # a picture under the wrong name is a picture
            Image.open(path).save(path, "PNG")
    bad_files(folder / "bad", folder / "00" / "0000.jpg", count=bad)
    result = invoke("run", str(folder), *QUICK, "--out", str(out))
    rows = embshift.open_run(out).images().select(["row", "member", "status", "error", "bytes"]).to_pylist()
    wrong = [row for row in rows if (row["status"] == "ok") == row["member"].startswith("bad")]
    wrong += [row for row in rows if row["status"] != "ok" and not row["error"]]
    assert [row["row"] for row in rows] == list(range(good + bad))
    assert result.returncode == 1  # above the default rate of one in a hundred
    allowed = invoke("run", str(folder), *QUICK, "--max-error-rate", "0.2", "--out", str(out))
    assert allowed.returncode == 0
    tally(tried=good + bad, lost=wrong, measured=f"{len(rows):,} rows")


def truncated_samples(samples: Path) -> dict[str, bytes]:
    """Whole files: the photographs as they are, and some of them in the other formats."""
    paths = sorted(samples.glob("*.jpg"))[: amount(full=20, quick=3)]
    files = {path.name: path.read_bytes() for path in paths}
    for kind, options in (("PNG", {}), ("WEBP", {}), ("TIFF", {"compression": "tiff_lzw"}), ("GIF", {})):
        file = io.BytesIO()
        Image.open(paths[0]).resize((160, 120)).save(file, kind, **options)
        files[f"{paths[0].stem}.{kind.lower()}"] = file.getvalue()
    return files


def test_no_cut_passes_for_a_picture(samples, tmp_path, tally):
    cuts, lost, tried = amount(full=50, quick=6), [], 0
    path = tmp_path / "cut"
    record = ImageRecord(row=0, source="s", member="cut", path=str(path))
    for name, data in truncated_samples(samples).items():
        path.write_bytes(data)
        whole = decode(record, limits=Limits()).pixels
        assert whole is not None
        for cut in np.unique(np.linspace(1, len(data) - 1, cuts).astype(int)):
            path.write_bytes(data[:cut])
            found = decode(record, limits=Limits())
            tried += 1
            # What lacks only its end mark has all of its pixels.
            if found.pixels is not None and not np.array_equal(found.pixels, whole):
                lost.append((name, int(cut)))
    tally(tried=tried, lost=lost)


def test_bombs_cost_little(tmp_path, tally):
    paths = []
    for name, data in bombs():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(data)
    found = decoded_apart(paths, tmp_path)
    assert found["rows"] == len(paths)
    assert found["slowest"] < 1
    assert found["growth_mb"] < 200
    assert found["statuses"].get("ok", 0) <= 3  # text, profile and too many rows stand beside good pixels
    tally(tried=len(paths), lost=found["uncaught"], measured=said(found))


@pytest.mark.parametrize(("name", "seconds", "megabytes"), [("pillow", 60, 300), ("libjxl", 60, 300)])
def test_other_peoples_broken_pictures(name, seconds, megabytes, tmp_path, tally):
    paths = corpus(name)
    found = decoded_apart(paths, tmp_path)
    assert found["rows"] == sum(found["statuses"].values()) + len(found["uncaught"]) == len(paths)
    assert found["seconds"] < seconds
    assert found["peak_mb"] < megabytes
    tally(tried=len(paths), lost=found["uncaught"], measured=said(found))


def odd_names(count: int) -> list[bytes]:
    rng = random.Random(1)
    letters = [bytes([value]) for value in range(1, 256) if value != ord("/")]
    names = {b"".join(rng.choices(letters, k=rng.randint(1, 40))) + b".png" for _ in range(count)}
    return sorted(names | {b"\xff.png", b"=1+1.png", b"-.png", b"\n.png", "é.png".encode(), b"e\xcc\x81.png"})


def test_any_name_is_a_key_of_its_own(tmp_path, tally):
    folder, out = tmp_path / "in", tmp_path / "run"
    names = odd_names(amount(full=300, quick=25))
    for place in ("a", "b"):  # the same names twice, in two sources
        (folder / place).mkdir(parents=True)
        for number, name in enumerate(names):
            with open(os.path.join(os.fsencode(folder / place), name), "wb") as file:
                Image.new("RGB", (9, 9), (number % 256, number // 256, ord(place))).save(file, "PNG")
    sources = (str(folder / "a"), str(folder / "b"))
    result = invoke("run", *sources, *QUICK, "--out", str(out))
    assert result.returncode == 0, result.stderr
    assert not set("\x1b\x9b\x07\x08\r") & set(result.stderr + result.stdout)
    rows = embshift.open_run(out).images().to_pylist()
    found = [row["path_bytes"] or row["path"].encode() for row in rows]
    wanted = [os.path.join(os.fsencode(folder / place), name) for place in "ab" for name in names]
    assert [row["row"] for row in rows] == list(range(len(wanted)))
    tally(tried=len(wanted), lost=sorted(set(wanted) ^ set(found)))


def test_a_tree_of_traps_is_measured_like_any_other(samples, tmp_path, tally):
    folder, out = tmp_path / "in", tmp_path / "run"
    (folder / "down").mkdir(parents=True)
    for number in range(3):
        Image.open(samples / "cat.jpg").crop((number, 0, 40, 40)).save(folder / "down" / f"{number}.jpg")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "self.jpg").symlink_to("self.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    (folder / "random.jpg").symlink_to("/dev/urandom")
    (folder / "link.jpg").symlink_to("down/0.jpg")
    os.mkfifo(folder / "fifo.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(folder)  # a socket's name may have 108 bytes
        listening.bind("socket.jpg")
        os.chdir(here)
    with patch("builtins.open", wraps=open) as opened:
        statuses = [decode(record, limits=Limits()).status for record in list_sources([folder])]
    assert opened.call_count == 4, "the three images and the link to one of them, and no device"
    result = invoke("run", str(folder), *QUICK, "--out", str(out))
    rows = {row["member"]: row["status"] for row in embshift.open_run(out).images().to_pylist()}
    wanted = {f"down/{number}.jpg": "ok" for number in range(3)} | {
        "dangling.jpg": "missing",
        "fifo.jpg": "not_a_file",
        "link.jpg": "ok",
        "random.jpg": "not_a_file",
        "self.jpg": "unreadable",
        "socket.jpg": "not_a_file",
        "zero.jpg": "not_a_file",
    }
    assert list(rows.values()) == statuses
    assert result.returncode == 1
    tally(tried=len(wanted), lost=sorted(wanted.items() ^ rows.items()))


def test_a_file_that_vanishes_after_it_was_listed_is_a_row(samples, tmp_path, monkeypatch, tally):
    folder, out = write_crops(samples, tmp_path / "in", count=6, side=40), tmp_path / "run"
    gone = sorted(folder.rglob("*.jpg"))[3]

    def listed_then_gone(path, rows):
        write_listing(path, rows)
        gone.unlink()

    monkeypatch.setattr("embshift.measurement.session.frozen_listing.write_listing", listed_then_gone)
    run = embshift.measure(folder, encoder="lite", image_size=32, transforms=["blur"], workers=0, out=out)
    statuses = run.images()["status"].to_pylist()
    wanted = ["ok"] * 3 + ["missing"] + ["ok"] * 2
    tally(tried=6, lost=[pair for pair in zip(wanted, statuses, strict=True) if len(set(pair)) > 1])


@pytest.mark.parametrize("seed", range(amount(full=10, quick=1)))
def test_mutated_pictures_never_cost_the_parent(samples, tmp_path, seed, tally):
    from embshift.core.types import FrozenRow
    from embshift.measurement.engine.pool import perturb_images
    from tests.faults.mutations import build, write_mutated

    count, started = amount(full=5000, quick=150), time.perf_counter()
    paths = write_mutated(samples, tmp_path, count=count, seed=seed)
    records = [
        ImageRecord(row=at, source="s", member=path.name, path=str(path)) for at, path in enumerate(paths)
    ]
    items = [FrozenRow(record=record, sampled=False, chunk=0) for record in records]
    found = list(perturb_images(items, build=build, workers=2 if FULL else 1))
    lost = [at for at, one in enumerate(found) if one.listed.record.row != at]
    lost += [one.listed for one in found if (one.decoded.status == "ok") != (one.pixels is not None)]
    died = [one.listed.record.member for one in found if one.decoded.status == "worker_died"]
    assert len(found) == count
    ok = sum(one.decoded.status == "ok" for one in found)
    seconds = time.perf_counter() - started
    tally(tried=count, lost=lost, measured=f"{ok:,} still read, {len(died)} ended a worker, {seconds:.0f} s")
