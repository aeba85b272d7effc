"""Whole runs in a fraction of a second: tiny pictures, small chunks, an encoder without weights."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from PIL import Image

import embshift
from embshift.core.errors import ShiftError
from embshift.measurement.session.encoder_files import same_files
from embshift.runs.listing import freeze_listing
from tests.unit.fake_encoder import FakeEncoder

PICTURES, CHUNK = 12, 5


def write_pictures(folder: Path, *, count: int = PICTURES) -> Path:
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = rng.integers(0, 256, (24, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((60, 48)).save(folder / f"{number:02d}.png")
    return folder


def in_chunks(count: int) -> Any:
    """In here a run commits so many pictures together, whatever its plan says."""
    return patch(
        "embshift.measurement.session.frozen_listing.freeze_listing",
        lambda *given, chunk, **options: freeze_listing(*given, chunk=count, **options),
    )


@contextmanager
def quickly(*, chunk: int = CHUNK, **spec: Any) -> Iterator[None]:
    """In here a run opens the small encoder, and commits after a few pictures.

    Args:
        chunk: Pictures in a chunk.
        **spec: What the encoder says of itself otherwise than usual; its files are then others too.
    """
    from dataclasses import replace

    class Opened(FakeEncoder):
        @property
        def spec(self):
            return replace(super().spec, **spec)

    with (
        patch("embshift.encoders.open.open_encoder", lambda *_, **__: Opened()),
        in_chunks(chunk),
        patch(
            "embshift.measurement.session.carry_out.same_files", (lambda *_: False) if spec else same_files
        ),
    ):
        yield


def measure(source: Any, out: Path, **options: Any) -> embshift.Run:
    usual = {"encoder": "lite", "image_size": 16, "transforms": ["blur", "noise"], "metric_sample": 7}
    return embshift.measure(source, out=out, **usual | {"batch": 4, "workers": 0} | options)


def refusal(source: Any, out: Path, **options: Any) -> ShiftError | None:
    """The error with which a run is refused; None where it goes through."""
    try:
        measure(source, out, **options)
    except ShiftError as error:
        return error
    return None


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder but the lock."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.name != ".lock"}
