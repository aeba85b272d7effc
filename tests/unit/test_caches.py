"""The folder of kept results."""

import pytest

from embshift.core.caches import CACHE, find_cache
from embshift.core.errors import UsageError
from embshift.runs.addresses import run_path


def test_a_cache_lies_below_the_users_own(tmp_path, monkeypatch):
    monkeypatch.delenv(CACHE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find_cache("runs") == tmp_path / "embshift" / "runs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert find_cache("compared") == tmp_path / "home" / ".cache" / "embshift" / "compared"
    monkeypatch.setenv(CACHE, str(tmp_path / "own"))
    assert find_cache("runs") == tmp_path / "own" / "runs"


def test_a_run_in_a_store_needs_a_folder_for_its_copy(monkeypatch):
    monkeypatch.setenv(CACHE, "off")
    assert find_cache("runs") is None
    with pytest.raises(UsageError, match=f"s3://bucket/a needs a copy on this machine.*{CACHE}"):
        run_path("s3://bucket/a")
