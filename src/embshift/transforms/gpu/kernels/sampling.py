"""Bilinear sampling as in OpenCV: in float32, with a constant colour beyond the border."""

import torch
from jaxtyping import Float32

from embshift.transforms.gpu.kernels.arrays import Batch, round_to_levels

__all__ = ["sample_bilinear"]


def sample_bilinear(
    pixels: Batch,
    columns: Float32[torch.Tensor, "views height width"],
    rows: Float32[torch.Tensor, "views height width"],
    *,
    fill: Float32[torch.Tensor, "views 3"],
) -> Batch:
    """Sample each original at the places that its view shows.

    Args:
        pixels: The originals.
        columns: The column of each place; what is not finite lies outside the original.
        rows: The row of each place.
        fill: The colour beyond each original's border, in whole numbers.
    """
    height, width = pixels.shape[1:3]
    left, across = _split_places(columns, width)
    top, down = _split_places(rows, height)
    colour = fill[:, None, None, :]
    one, two, three, four = (
        _read_corner(pixels, top + below, left + beside, colour) for below in (0, 1) for beside in (0, 1)
    )
    upper, lower = _interpolate(one, two, across), _interpolate(three, four, across)
    return round_to_levels(_interpolate(upper, lower, down))


def _split_places(
    places: Float32[torch.Tensor, "views height width"], side: int
) -> tuple[torch.Tensor, Float32[torch.Tensor, "views height width 1"]]:
    """Return the pixel before each place, and the distance from it; places far outside are clipped."""
    near = places.nan_to_num(-2.0).clamp_(-2, side + 1)
    before = near.floor()
    return before.long(), (near - before)[..., None]


def _read_corner(
    pixels: Batch, rows: torch.Tensor, columns: torch.Tensor, colour: torch.Tensor
) -> Float32[torch.Tensor, "views height width 3"]:
    views, height, width, _ = pixels.shape
    seen = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    first = torch.arange(views, device=pixels.device)[:, None, None] * (height * width)
    places = first + rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    found = pixels.reshape(-1, 3)[places]  # (views, height, width, 3)
    return torch.where(seen[..., None], found.float(), colour)


def _interpolate(one: torch.Tensor, other: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    # Three separate steps, because a fused one would differ in the last bit.
    return one + (other - one) * share
