"""Device forms of patch, edge and detail similarity: the sums of the paper's pixel metrics."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int32

from embshift.metrics.detail import compare_deviations
from embshift.metrics.gpu import Originals, Owners, Sums, Viewed, device_metric
from embshift.metrics.patch import average_patch_similarity

__all__ = ["sum_details", "sum_edges", "sum_patches"]

_PATCHES, _DETAILS = 4, 8
_WEIGHTS = (299, 587, 114)
_GREATEST = 2**63 - 1
_EDGE = 4 * 255_000  # largest doubled edge, in thousandths of a gray level


def _fits_patches(height: int, width: int) -> bool:
    return min(height, width) >= _PATCHES


def _finish_patches(sums: Sums, *, height: int, width: int) -> Float64[np.ndarray, " views"]:
    return average_patch_similarity(sums["squares"] / ((height // _PATCHES) * (width // _PATCHES) * 3))


@device_metric("patch_similarity", fits=_fits_patches, finish=_finish_patches)
def sum_patches(originals: Originals, views: Viewed, owners: Owners, /) -> Sums:
    """Sum the squared colour differences over each cell."""
    squares = (views.int() - originals.int()[owners]).square_().sum(dim=-1, dtype=torch.int32)
    return {"squares": _split_cells(squares, _PATCHES).sum(dim=-1).flatten(1)}


def _fits_edges(height: int, width: int) -> bool:
    return min(height, width) >= 2 and height * width * _EDGE**2 <= _GREATEST


def _finish_edges(sums: Sums, *, height: int, width: int) -> Float64[np.ndarray, " views"]:
    before, after = sums["before"].astype(np.float64), sums["after"].astype(np.float64)
    return 1.0 - sums["apart"] / (before * after) / (height * width)


@device_metric("edge_similarity", fits=_fits_edges, finish=_finish_edges)
def sum_edges(originals: Originals, views: Viewed, owners: Owners, /) -> Sums:
    """Return the largest edges a and b of image and view, and the sum of |E b − E′ a|.

    It is the sum of a b |E / a − E′ / b|.
    """
    before, after = _compute_edges(originals), _compute_edges(views)
    # An image without edges is zero everywhere, and stays so when divided by 1.
    peak, other = (each.flatten(1).amax(dim=1).clamp_(min=1).long() for each in (before, after))
    peak = peak[owners]
    apart = before[owners].long() * other[:, None, None] - after.long() * peak[:, None, None]
    return {"before": peak, "after": other, "apart": apart.abs_().sum(dim=(1, 2))}


def _fits_details(height: int, width: int) -> bool:
    count = (height // _DETAILS) * (width // _DETAILS)
    return min(height, width) >= _DETAILS and (count * 255_000) ** 2 <= _GREATEST


def _finish_details(sums: Sums, *, height: int, width: int) -> Float64[np.ndarray, " views"]:
    count = (height // _DETAILS) * (width // _DETAILS)
    before, after = (
        np.sqrt((count * sums[f"{name}_squares"] - sums[name] ** 2).astype(np.float64)) / (count * 1000.0)
        for name in ("before", "after")
    )
    return np.array(
        [compare_deviations(*pair)[0] for pair in zip(before, after[:, None], strict=True)], np.float64
    )


@device_metric("detail_similarity", fits=_fits_details, finish=_finish_details)
def sum_details(originals: Originals, views: Viewed, owners: Owners, /) -> Sums:
    """Sum gray and squared gray over each cell."""
    found = dict[str, Any]()
    for name, images in (("before", originals), ("after", views)):
        cells = _split_cells(_to_gray(images), _DETAILS).long()
        sums = {name: cells.sum(dim=-1).flatten(1), f"{name}_squares": cells.square().sum(dim=-1).flatten(1)}
        found |= {key: each[owners] if name == "before" else each for key, each in sums.items()}
    return found


def _to_gray(images: Viewed) -> Int32[torch.Tensor, "views height width"]:
    """Return gray in thousandths of a gray level, as integers."""
    red, green, blue = images.int().unbind(-1)
    return red * _WEIGHTS[0] + green * _WEIGHTS[1] + blue * _WEIGHTS[2]


def _split_cells(
    values: Int32[torch.Tensor, "views height width"], count: int
) -> Int32[torch.Tensor, "views count count pixels"]:
    """Return the pixels of the count by count cells; integer division, the remainder is dropped."""
    views, height, width = values.shape
    high, wide = height // count, width // count
    inner = values[:, : high * count, : wide * count].reshape(views, count, high, count, wide)
    return inner.transpose(2, 3).flatten(3)


def _compute_edges(images: Viewed) -> Int32[torch.Tensor, "views height width"]:
    """Return twice |Gx| + |Gy|, in thousandths of a gray level: the doubled differences are integers."""
    gray = _to_gray(images)
    return _double_differences(gray, 1) + _double_differences(gray, 2)


def _double_differences(gray: Int32[torch.Tensor, "views height width"], dim: int) -> Any:
    """Return twice the differences along a side: central, and one-sided at the border."""
    length = gray.shape[dim]
    one_sided = (gray.narrow(dim, 1, length - 1) - gray.narrow(dim, 0, length - 1)).abs_() * 2
    first, last = one_sided.narrow(dim, 0, 1), one_sided.narrow(dim, length - 2, 1)
    central = (gray.narrow(dim, 2, length - 2) - gray.narrow(dim, 0, length - 2)).abs_()
    return torch.cat([first, central, last], dim=dim)
