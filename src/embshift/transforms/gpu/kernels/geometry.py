"""Geometric changes and holes in a batch of views, from the drawn values."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Float64

from embshift.core.device_copy import copy_to_device
from embshift.transforms.gpu import KernelValues
from embshift.transforms.gpu.kernels.arrays import Batch, stack_values
from embshift.transforms.gpu.kernels.sampling import sample_bilinear

__all__ = ["fill_holes", "flip", "warp_affine", "warp_elastic", "warp_perspective"]


def flip(pixels: Batch, values: Sequence[KernelValues]) -> Batch:
    """Flip each view from left to right."""
    del values
    return pixels.flip(2)


def warp_affine(pixels: Batch, values: Sequence[KernelValues]) -> Batch:
    """Move the pixels of each view by an affine matrix."""
    matrix = stack_values(values, "matrix", like=pixels)
    columns, rows = (_apply_matrix_row(matrix[:, at], pixels) for at in range(2))
    return sample_bilinear(pixels, columns, rows, fill=stack_values(values, "fill", like=pixels))


def warp_perspective(pixels: Batch, values: Sequence[KernelValues]) -> Batch:
    """Move the pixels of each view by a projective matrix."""
    matrix = stack_values(values, "matrix", like=pixels)
    columns, rows, depth = (_apply_matrix_row(matrix[:, at], pixels) for at in range(3))
    return sample_bilinear(
        pixels, columns / depth, rows / depth, fill=stack_values(values, "fill", like=pixels)
    )


def warp_elastic(pixels: Batch, values: Sequence[KernelValues]) -> Batch:
    """Move the pixels of each view by a displacement field, given by thin factors or in full."""
    made = torch.empty_like(pixels)
    for name, maps in (("down", _multiply_factors), ("map_x", _stack_maps)):
        chosen = [at for at, each in enumerate(values) if name in each]
        if chosen:
            own = [values[at] for at in chosen]
            index = copy_to_device(torch.as_tensor(chosen), device=str(pixels.device))
            originals = pixels[index]
            columns, rows = maps(own, originals)
            made[index] = sample_bilinear(
                originals, columns, rows, fill=stack_values(own, "fill", like=pixels)
            )
    return made


def fill_holes(pixels: Batch, values: Sequence[KernelValues]) -> Batch:
    """Fill the places in holes with colours; each place is listed once."""
    height, width = pixels.shape[1:3]
    places = [each["places"].astype(np.int64) + at * height * width for at, each in enumerate(values)]
    device = str(pixels.device)
    index = copy_to_device(torch.as_tensor(np.concatenate(places)), device=device)
    colours = copy_to_device(
        torch.as_tensor(np.concatenate([each["colours"] for each in values])), device=device
    )
    return pixels.reshape(-1, 3).index_copy(0, index, colours).view(pixels.shape)


def _apply_matrix_row(
    matrix: Float32[torch.Tensor, "views 3"], pixels: Batch
) -> Float32[torch.Tensor, "views _ _"]:
    """Compute ``a x + (b y + c)`` in float32, with one rounding after the outer sum, as OpenCV fuses them."""
    height, width = pixels.shape[1:3]
    across = torch.arange(width, dtype=torch.float64, device=pixels.device)
    down = torch.arange(height, dtype=torch.float32, device=pixels.device)
    start = down * matrix[:, 1:2] + matrix[:, 2:3]  # (views, height)
    steps = across * matrix[:, 0:1].double()  # (views, width), exact in float64
    return (steps[:, None, :] + start[:, :, None].double()).float()


Maps = tuple[Float32[torch.Tensor, "views height width"], Float32[torch.Tensor, "views height width"]]


def _stack_maps(values: Sequence[KernelValues], pixels: Batch) -> Maps:
    return stack_values(values, "map_x", like=pixels), stack_values(values, "map_y", like=pixels)


def _multiply_factors(values: Sequence[KernelValues], pixels: Batch) -> Maps:
    height, width = pixels.shape[1:3]
    rank = max(len(each["across"]) for each in values)
    thin = [
        {
            "down": np.pad(each["down"], ((0, 0), (0, 0), (0, rank - len(each["across"])))),
            "across": np.pad(each["across"], ((0, rank - len(each["across"])), (0, 0))),
        }
        for each in values
    ]
    down, across = (stack_values(thin, name, like=pixels) for name in ("down", "across"))
    moves = down.new_zeros((len(values), 2, height, width))
    for at in range(rank):
        # One term at a time, because a matrix product may add the terms in another order in another batch.
        moves += down[:, :, :, at, None] * across[:, None, at, None, :]
    return _add_positions(moves[:, 0], dim=-1), _add_positions(moves[:, 1], dim=-2)


def _add_positions(
    moves: Float64[torch.Tensor, "views height width"], *, dim: int
) -> Float32[torch.Tensor, "views height width"]:
    own = torch.arange(moves.shape[dim], dtype=torch.float64, device=moves.device)
    return (moves + (own if dim == -1 else own[:, None])).float()
