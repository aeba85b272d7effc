"""One chunk of invented results, in the shape that a run writes."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from embshift.core.encoding import Encoding
from embshift.core.types import ORIGINAL, Field, FrozenRow, ImageRecord
from embshift.images import Decoded
from embshift.measurement.pipeline.compare import Compared
from embshift.measurement.pipeline.perturb import Attempt
from embshift.measurement.plan.plan import CHUNK, DEFAULT_METRICS
from embshift.transforms.presets import load_preset

if TYPE_CHECKING:
    from benchmarks.setting import Setting

__all__ = ["make_chunk"]

DIM, HEADS, GRID = 512, 12, (7, 7)


def make_chunk(setting: "Setting") -> tuple[list[Compared], int]:
    """Return the results of a chunk of images with nine views each, and the length of their embeddings."""
    names = [plan.name for plan in load_preset("paper").transforms]
    return [_make_result(row, path, names) for row, path in enumerate(setting.images[:CHUNK])], DIM


def _make_result(row: int, path: object, names: list[str]) -> Compared:
    rng = np.random.default_rng(row)
    views = 1 + len(names)
    digest = rng.bytes(32).hex()
    attempts = [Attempt(transform=name, draw=0, digest=rng.bytes(32).hex()) for name in [ORIGINAL, *names]]
    attention = rng.dirichlet(np.ones(GRID[0] * GRID[1]), (views, HEADS)).astype(np.float32)
    return Compared(
        listed=FrozenRow(
            record=ImageRecord(row=row, source="", member=str(path), path=str(path)), sampled=True, chunk=0
        ),
        decoded=Decoded(sha256=digest, bytes=60_000, width=500, height=375, mode="RGB"),
        attempts=tuple(attempts),
        encoding=Encoding(
            embedding=torch.from_numpy(rng.normal(size=(views, DIM)).astype(np.float32)),
            grid=GRID,
            field=Field(0, 0, 224, 224),
            attention=torch.from_numpy(attention),
        ),
        values={name: rng.random(len(names)) for name in DEFAULT_METRICS},
    )
