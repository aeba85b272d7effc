"""A picture looked up between its pixels, as OpenCV does it: in float32, with a colour beyond the border."""

import torch
from jaxtyping import Float32

from embshift.transforms.gpu.kernels.arrays import Batch, as_levels

__all__ = ["looked_up"]


def looked_up(
    pixels: Batch,
    columns: Float32[torch.Tensor, "views height width"],
    rows: Float32[torch.Tensor, "views height width"],
    *,
    fill: Float32[torch.Tensor, "views 3"],
) -> Batch:
    """Each view's colours at the places that it shows.

    Args:
        pixels: The originals.
        columns: Where to look; what is not finite is outside.
        rows: Where to look.
        fill: The colour beyond the border of each, whole numbers.
    """
    height, width = pixels.shape[1:3]
    left, across = _split(columns, width)
    top, down = _split(rows, height)
    colour = fill[:, None, None, :]
    one, two, three, four = (
        _corner(pixels, top + below, left + beside, colour) for below in (0, 1) for beside in (0, 1)
    )
    upper, lower = _between(one, two, across), _between(three, four, across)
    return as_levels(_between(upper, lower, down))


def _split(
    places: Float32[torch.Tensor, "views height width"], side: int
) -> tuple[torch.Tensor, Float32[torch.Tensor, "views height width 1"]]:
    """The pixel before each place, and the way from there; two pixels outside are as good as any number."""
    near = places.nan_to_num(-2.0).clamp_(-2, side + 1)
    before = near.floor()
    return before.long(), (near - before)[..., None]


def _corner(
    pixels: Batch, rows: torch.Tensor, columns: torch.Tensor, colour: torch.Tensor
) -> Float32[torch.Tensor, "views height width 3"]:
    views, height, width, _ = pixels.shape
    seen = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    first = torch.arange(views, device=pixels.device)[:, None, None] * (height * width)
    places = first + rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    found = pixels.reshape(-1, 3)[places]  # (views, height, width, 3)
    return torch.where(seen[..., None], found.float(), colour)


def _between(one: torch.Tensor, other: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    # Three steps and no fused one, whose last bit would be another.
    return one + (other - one) * share
