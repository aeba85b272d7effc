"""Fuzz targets: functions of bytes that accept any content, and raise an error only for a defect."""

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
    """Decode the bytes as an image file."""
    path = PLACE / "image"
    path.write_bytes(data)
    found = decode(ImageRecord(row=0, source="s", member="m", path=str(path)), limits=LIMITS)
    if (found.status == "ok") != (found.pixels is not None) or (found.status == "ok") != (
        found.error is None
    ):
        raise AssertionError(f"status {found.status} contradicts pixels or error: {found}")


def fuzz_presets(data: bytes) -> None:
    """Read the bytes as a preset file and as a plan file."""
    path = PLACE / "text.toml"
    path.write_bytes(data)
    for read in (load_preset, load_plan):
        try:
            read(path)
        except ShiftError as error:
            if not str(error):
                raise AssertionError("an error without a message") from error


TARGETS: dict[str, Callable[[bytes], None]] = {"decode": fuzz_decode, "presets": fuzz_presets}
