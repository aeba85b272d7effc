"""A small encoder without weights: what it gives follows from the pixels alone."""

import numpy as np
import torch

from embshift.core.encoding import Encoding
from embshift.core.types import Capture, EncoderSpec, Field

DIM, HEADS, GRID = 6, 2, (2, 3)
POISON = 213
"""A view whose first value is this gets an embedding that is not finite."""


class FakeEncoder:
    """Records the shape of every batch and what was captured."""

    def __init__(self, *, poison=np.nan):
        self.batches, self.captures, self.poison = [], [], poison

    @property
    def spec(self):
        return EncoderSpec(
            name="fake",
            family="fake",
            dim=DIM,
            embedding="moments",
            map_name="attention map",
            map_source="pixels",
            layers=0,
            heads=HEADS,
            digest="0" * 64,
            preprocessing={},
            precision="float32",
            device="cpu",
        )

    def encode(self, views, /, *, capture):
        self.batches.append(views.shape)
        self.captures.append(capture)
        return Encoding(
            embedding=torch.stack([self._embedding(view) for view in views]),
            grid=GRID,
            field=Field(0, 0, *views.shape[1:3]),
            attention=torch.stack([_map(view) for view in views]) if capture & Capture.ATTENTION else None,
        )

    def _embedding(self, view):
        values = [view[..., channel].mean() for channel in range(3)] + [view[i::3].std() for i in range(3)]
        if view[0, 0, 0] == POISON:
            values[2] = self.poison
        return torch.tensor(values, dtype=torch.float32)


def _map(view):
    cells = [cell.mean() for half in np.array_split(view, 2) for cell in np.array_split(half, 3, axis=1)]
    return torch.tensor([cells, cells[::-1]], dtype=torch.float32)
