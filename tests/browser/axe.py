"""axe-core, an accessibility checker: fetched once from the npm registry, never part of the repository."""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import Browser

NAME = "axe-core-4.14.1"
INTEGRITY = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
"""SHA-512 of the package, as the registry states it."""

CACHE = Path(__file__).parents[2] / "build" / NAME
SECONDS = 90


def load_axe() -> str:
    """Return the checker's script; without registry the test is skipped, except in CI, where it fails."""
    kept = CACHE / f"{NAME}.tgz"
    if not kept.exists():
        _fetch()
    content = kept.read_bytes()
    assert base64.b64encode(hashlib.sha512(content).digest()).decode() == INTEGRITY, f"{kept} is not {NAME}"
    with tarfile.open(kept) as archive:
        script = archive.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


def _fetch() -> None:
    npm = shutil.which("npm")
    if npm is None:
        _leave("npm is not installed here")
    CACHE.mkdir(parents=True, exist_ok=True)
    # Two test processes may fetch it at once: each gets its own, and the file is there as a whole or not.
    with tempfile.TemporaryDirectory(dir=CACHE) as place:
        command = [str(npm), "pack", NAME.replace("-4", "@4"), "--fetch-retries=0"]
        try:
            subprocess.run(command, check=True, capture_output=True, cwd=place, timeout=SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            _leave(f"npm cannot fetch {NAME}: {str(error)[:200]}")
        Path(place, f"{NAME}.tgz").replace(CACHE / f"{NAME}.tgz")


def _leave(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def find_faults(browser: Browser, axe: str) -> list[str]:
    """Return what the checker finds wrong with the page as it stands: rule, and the elements."""
    browser.driver.execute_cdp_cmd("Runtime.evaluate", {"expression": axe})
    script = "const done = arguments[0]; axe.run(document, { resultTypes: ['violations'] }).then(done, done)"
    found: Any = browser.driver.execute_async_script(script)
    assert "violations" in found, found
    return [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
