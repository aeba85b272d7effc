"""Moves and holes over a batch, from what was drawn."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Float64

from embshift.core.device_copy import copy_to_device
from embshift.transforms.gpu import Values
from embshift.transforms.gpu.kernels.arrays import Batch, together
from embshift.transforms.gpu.kernels.sampling import looked_up

__all__ = ["affinely", "elastically", "flipped", "in_perspective", "punched"]


def flipped(pixels: Batch, values: Sequence[Values]) -> Batch:
    """Left to right."""
    del values
    return pixels.flip(2)


def affinely(pixels: Batch, values: Sequence[Values]) -> Batch:
    """Moved by a matrix."""
    matrix = together(values, "matrix", like=pixels)
    columns, rows = (_line(matrix[:, at], pixels) for at in range(2))
    return looked_up(pixels, columns, rows, fill=together(values, "fill", like=pixels))


def in_perspective(pixels: Batch, values: Sequence[Values]) -> Batch:
    """Moved by a projection."""
    matrix = together(values, "matrix", like=pixels)
    columns, rows, depth = (_line(matrix[:, at], pixels) for at in range(3))
    return looked_up(pixels, columns / depth, rows / depth, fill=together(values, "fill", like=pixels))


def elastically(pixels: Batch, values: Sequence[Values]) -> Batch:
    """Moved by fields: of thin factors, or as they are where they have none."""
    made = torch.empty_like(pixels)
    for name, maps in (("down", _from_factors), ("map_x", _as_given)):
        chosen = [at for at, each in enumerate(values) if name in each]
        if chosen:
            own = [values[at] for at in chosen]
            index = copy_to_device(torch.as_tensor(chosen), device=str(pixels.device))
            originals = pixels[index]
            columns, rows = maps(own, originals)
            made[index] = looked_up(originals, columns, rows, fill=together(own, "fill", like=pixels))
    return made


def punched(pixels: Batch, values: Sequence[Values]) -> Batch:
    """Places painted over, each named once."""
    height, width = pixels.shape[1:3]
    places = [each["places"].astype(np.int64) + at * height * width for at, each in enumerate(values)]
    device = str(pixels.device)
    index = copy_to_device(torch.as_tensor(np.concatenate(places)), device=device)
    colours = copy_to_device(torch.as_tensor(np.concatenate([each["colours"] for each in values])), device=device)
    return pixels.reshape(-1, 3).index_copy(0, index, colours).view(pixels.shape)


def _line(matrix: Float32[torch.Tensor, "views 3"], pixels: Batch) -> Float32[torch.Tensor, "views _ _"]:
    """``a x + (b y + c)`` in float32, the product of x and the sum rounded once, as OpenCV fuses them."""
    height, width = pixels.shape[1:3]
    across = torch.arange(width, dtype=torch.float64, device=pixels.device)
    down = torch.arange(height, dtype=torch.float32, device=pixels.device)
    start = down * matrix[:, 1:2] + matrix[:, 2:3]  # (views, height)
    steps = across * matrix[:, 0:1].double()  # (views, width), exact in float64
    return (steps[:, None, :] + start[:, :, None].double()).float()


Maps = tuple[Float32[torch.Tensor, "views height width"], Float32[torch.Tensor, "views height width"]]


def _as_given(values: Sequence[Values], pixels: Batch) -> Maps:
    return together(values, "map_x", like=pixels), together(values, "map_y", like=pixels)


def _from_factors(values: Sequence[Values], pixels: Batch) -> Maps:
    height, width = pixels.shape[1:3]
    rank = max(len(each["across"]) for each in values)
    thin = [
        {
            "down": np.pad(each["down"], ((0, 0), (0, 0), (0, rank - len(each["across"])))),
            "across": np.pad(each["across"], ((0, rank - len(each["across"])), (0, 0))),
        }
        for each in values
    ]
    down, across = (together(thin, name, like=pixels) for name in ("down", "across"))
    moves = down.new_zeros((len(values), 2, height, width))
    for at in range(rank):
        # One wave after the other: a matrix product may add them in another order in another batch.
        moves += down[:, :, :, at, None] * across[:, None, at, None, :]
    return _placed(moves[:, 0], dim=-1), _placed(moves[:, 1], dim=-2)


def _placed(
    moves: Float64[torch.Tensor, "views height width"], *, dim: int
) -> Float32[torch.Tensor, "views height width"]:
    own = torch.arange(moves.shape[dim], dtype=torch.float64, device=moves.device)
    return (moves + (own if dim == -1 else own[:, None])).float()
