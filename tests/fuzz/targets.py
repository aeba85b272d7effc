"""What is fuzzed: a function of bytes that returns for whatever they hold, and raises only for a defect."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from embshift.core.errors import ShiftError
from embshift.core.types import ImageRecord
from embshift.images import Limits, decode
from embshift.measurement.plan.files import load_plan
from embshift.transforms.presets import load_preset

PLACE = Path(tempfile.mkdtemp(prefix="embshift-fuzz-"))
LIMITS = Limits(pixels=1_000_000)


def fuzz_decode(data: bytes) -> None:
    """A file's bytes as a picture."""
    path = PLACE / "picture"
    path.write_bytes(data)
    found = decode(ImageRecord(row=0, source="s", member="m", path=str(path)), limits=LIMITS)
    if (found.status == "ok") != (found.pixels is not None) or (found.status == "ok") != (
        found.error is None
    ):
        raise AssertionError(f"{found.status} without what belongs to it: {found}")


def fuzz_presets(data: bytes) -> None:
    """A file's bytes as a preset, and as a plan."""
    path = PLACE / "text.toml"
    path.write_bytes(data)
    for read in (load_preset, load_plan):
        try:
            read(path)
        except ShiftError as error:
            if not str(error):
                raise AssertionError("an error that says nothing") from error


TARGETS: dict[str, Callable[[bytes], None]] = {"decode": fuzz_decode, "presets": fuzz_presets}
