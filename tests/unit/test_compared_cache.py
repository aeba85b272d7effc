"""Kept values: a second comparison gives the same bytes without computing, and nothing else is ever read."""

import os
from dataclasses import replace

import pytest

from embshift.analysis.compared import cache, measured
from embshift.analysis.compared.comparison import compare_runs
from embshift.core.caches import CACHE
from embshift.core.errors import StorageError
from embshift.show.text.compared import format_compared
from tests.synthetic_runs import Wanted, make_run

WANTED = Wanted(
    transforms=("blur", "noise"),
    images=12,
    draws=2,
    metrics=("cosine",),
    views=False,
    maps=False,
    partly=("noise",),
)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The folder of the cache, and runs that are large enough for it."""
    folder = tmp_path / "cache" / "below" / "compared"
    monkeypatch.setenv(CACHE, str(folder.parent))
    monkeypatch.setattr(cache, "LEAST_IMAGES", 12)
    return folder


@pytest.fixture
def runs(tmp_path):
    return [make_run(tmp_path / name, replace(WANTED, seed=at)) for at, name in enumerate(("one", "two"))]


def compare(runs):
    return format_compared(compare_runs(runs, resamples=200), style="json")


def refuse(*_, **__):
    raise AssertionError("computed again")


def test_a_second_comparison_reads_what_the_first_has_kept(kept, runs, monkeypatch):
    first = compare(runs)
    assert len(list(kept.iterdir())) == 2
    monkeypatch.setattr(measured, "measure_values", refuse)
    assert compare(runs) == first
    assert compare(runs[::-1]) != first  # the values of a run do not depend on its place


def test_other_images_draws_and_numbers_are_other_files(kept, runs, tmp_path, monkeypatch):
    compare(runs)
    # Another draw less, other numbers in a run of the same name, and another version of the code.
    other = make_run(tmp_path / "three", replace(WANTED, seed=2, draws=1))
    compare([runs[0], other])
    assert len(list(kept.iterdir())) == 4
    make_run(tmp_path / "two", replace(WANTED, seed=5))
    compare(runs)
    assert len(list(kept.iterdir())) == 5
    monkeypatch.setattr(cache, "_digest_code", lambda: "other code")
    compare(runs)
    assert len(list(kept.iterdir())) == 7


def test_a_damaged_file_is_computed_again(kept, runs):
    first = compare(runs)
    files = sorted(kept.iterdir())
    content = files[0].read_bytes()
    files[0].write_bytes(content[:400] + bytes([content[400] ^ 1]) + content[401:])
    files[1].write_bytes(b"")
    assert compare(runs) == first
    assert files[0].read_bytes() == content
    assert files[1].stat().st_size > 0


def test_small_runs_and_a_cache_that_is_off_keep_nothing(kept, runs, monkeypatch):
    monkeypatch.setattr(cache, "LEAST_IMAGES", 13)
    compare(runs)
    monkeypatch.setattr(cache, "LEAST_IMAGES", 12)
    monkeypatch.setenv(CACHE, "off")
    compare(runs)
    assert not kept.exists()


def test_a_run_without_seals_is_not_kept(kept, runs, monkeypatch):
    monkeypatch.setattr(cache, "read_seal", lambda file: None)
    compare(runs)
    assert not kept.exists()


def test_a_folder_that_cannot_be_written_costs_nothing(kept, runs, monkeypatch):
    first = compare(runs)

    def fail(path, write):
        raise StorageError("the disk is full")

    for file in kept.iterdir():
        file.unlink()
    monkeypatch.setattr(cache, "write_aside", fail)
    assert compare(runs) == first
    assert not list(kept.iterdir())


def test_what_was_not_used_for_longest_goes_first(kept, runs, monkeypatch):
    compare(runs)
    old, new = sorted(kept.iterdir())
    os.utime(old, (1, 1))
    monkeypatch.setattr(cache, "MOST_BYTES", new.stat().st_size)
    cache._remove_oldest(kept)
    assert list(kept.iterdir()) == [new]
