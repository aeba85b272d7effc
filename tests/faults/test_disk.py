"""A disk that fills at any write: a typed error, nothing half written under its own name; then it goes on."""

import errno
import json
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pyarrow.parquet as pq
import pytest
from PIL import Image

from embshift.core.errors import StorageError
from tests.faults.amounts import FULL, amount
from tests.faults.sessions import measure, quickly, write_pictures
from tests.integration.tables import assert_identical

WRITES = (
    (Path, "write_text"),
    (Path, "write_bytes"),
    (Path, "replace"),
    (os, "fsync"),
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("in") / "pictures")


@pytest.fixture(scope="module")
def whole(pictures, tmp_path_factory):
    """An undisturbed run."""
    out = tmp_path_factory.mktemp("whole") / "run"
    with quickly():
        measure(pictures, out)
    return out


class Filling:
    """Counts what writes; the one of a number finds the disk full, after half of it where it can be half."""

    def __init__(self, at: int | None = None) -> None:
        self.at, self.count = at, 0

    def __enter__(self) -> "Filling":
        self.patches = [patch.object(owner, name, self.wrap(owner, name)) for owner, name in WRITES]
        for one in self.patches:
            one.start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.patches:
            one.stop()

    def wrap(self, owner, name):
        before = getattr(owner, name)

        def call(*arguments, **options):
            self.count += 1
            if self.count - 1 != self.at:
                return before(*arguments, **options)
            if name.startswith("write"):
                with open(arguments[0], "wb") as file:
                    file.write(b"PAR1 half a file")
            raise OSError(errno.ENOSPC, "No space left on device")

        return call


def unreadable(folder: Path) -> list[str]:
    """Files under their own names that are not whole; whatever begins with a dot is nobody's result."""
    found = list[str]()
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")):
        try:
            read(path)
        except Exception as error:  # noqa: BLE001 - whatever it is that cannot be read
            found.append(f"{path.relative_to(folder)}: {error}")
    return found


def read(path: Path) -> None:
    if path.suffix == ".parquet":
        pq.read_table(path)
    elif path.suffix == ".png":
        Image.open(path).load()
    elif path.suffix == ".json":
        json.loads(path.read_text())
    else:
        assert path.read_text().endswith("\n")


def failure(pictures: Path, out: Path) -> BaseException | None:
    """What a run ends with; None where it goes through."""
    try:
        measure(pictures, out)
    except Exception as error:  # noqa: BLE001 - any of the wrong type is what is looked for
        return error
    return None


def wrong_after(error: BaseException | None, out: Path) -> list[str]:
    said = isinstance(error, StorageError) and "the disk is full (after" in str(error)
    return [*unreadable(out), *held(out), *([] if said else [f"said {error!r}"])]


def held(folder: Path) -> list[str]:
    """Files that were begun below the folder and are still open: also a removed one goes on taking space."""
    return [path for path in opened() if path.startswith(f"{folder}{os.sep}") and ".tmp" in path]


def opened() -> Iterator[str]:
    for handle in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists them is closed by now
            yield os.readlink(handle)


def test_a_full_disk_at_every_kind_of_write(pictures, whole, tmp_path, tally):
    with quickly(), Filling() as counted:
        measure(pictures, tmp_path / "counted")
    points = amount(full=25, quick=6)
    lost = list[object]()
    for number in range(points):
        at, out = number * counted.count // points, tmp_path / str(number)
        with quickly():
            with Filling(at):
                error = failure(pictures, out)
            lost += [(at, one) for one in wrong_after(error, out)]
            measure(pictures, out)
        assert_identical(whole, out)
    tally(tried=points, lost=lost, measured=f"of {counted.count} writes")


def test_a_real_limit_on_the_size_of_files(pictures, whole, tmp_path, tally):
    sizes = sorted({path.stat().st_size for path in whole.rglob("*") if path.is_file()})
    points = amount(full=25, quick=5)
    limits = [sizes[-1] * number // points for number in range(points)]
    lost = list[object]()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in limits:
        out = tmp_path / str(limit)
        with quickly():
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
            try:
                error = failure(pictures, out)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            lost += [(limit, one) for one in wrong_after(error, out)]
            measure(pictures, out)
        assert_identical(whole, out)
    tally(tried=points, lost=lost, measured=f"limits from 0 to {limits[-1]:,} bytes")


@pytest.mark.skipif(not FULL, reason="mounts a file system: make faults")
def test_a_small_file_system(pictures, whole, tmp_path, tally):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not allowed here: {mounted.stderr.decode().strip()}")
    lost, tried = list[object](), 0
    try:
        for free in range(0, 400_000, 40_000):
            out = place / "run"
            (place / "ballast").write_bytes(bytes(5 * 2**20 - 4096 * 6 - free))
            with quickly():
                error, tried = failure(pictures, out), tried + 1
                lost += [(free, one) for one in (wrong_after(error, out) if error else unreadable(out))]
                (place / "ballast").unlink()
                measure(pictures, out)
            assert_identical(whole, out)
            subprocess.run(["rm", "-r", str(out)], check=True)
    finally:
        subprocess.run(["umount", str(place)], check=True)
    tally(tried=tried, lost=lost)
