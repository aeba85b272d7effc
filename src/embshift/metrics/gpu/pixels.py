"""Patches, edges and detail on a device: the sums of the paper's pixel metrics."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float64, Int32

from embshift.metrics.detail import kept_detail
from embshift.metrics.gpu import Originals, Owners, Sums, Viewed, device_metric
from embshift.metrics.patch import likeness

__all__ = ["details", "edges", "patches"]

_PATCHES, _DETAILS = 4, 8
_WEIGHTS = (299, 587, 114)
_GREATEST = 2**63 - 1
_EDGE = 4 * 255_000  # greatest doubled edge, in thousandths of a gray level


def _fits_patches(height: int, width: int) -> bool:
    return min(height, width) >= _PATCHES


def _finish_patches(sums: Sums, *, height: int, width: int) -> Float64[np.ndarray, " views"]:
    return likeness(sums["squares"] / ((height // _PATCHES) * (width // _PATCHES) * 3))


@device_metric("patch_similarity", fits=_fits_patches, finish=_finish_patches)
def patches(originals: Originals, views: Viewed, owners: Owners, /) -> Sums:
    """Squared colour differences, summed over each cell."""
    squares = (views.int() - originals.int()[owners]).square_().sum(dim=-1, dtype=torch.int32)
    return {"squares": _cells(squares, _PATCHES).sum(dim=-1).flatten(1)}


def _fits_edges(height: int, width: int) -> bool:
    return min(height, width) >= 2 and height * width * _EDGE**2 <= _GREATEST


def _finish_edges(sums: Sums, *, height: int, width: int) -> Float64[np.ndarray, " views"]:
    before, after = sums["before"].astype(np.float64), sums["after"].astype(np.float64)
    return 1.0 - sums["apart"] / (before * after) / (height * width)


@device_metric("edge_similarity", fits=_fits_edges, finish=_finish_edges)
def edges(originals: Originals, views: Viewed, owners: Owners, /) -> Sums:
    """Greatest edges a and b of image and view, and the sum of |E b − E′ a|: a b |E / a − E′ / b|."""
    before, after = _edges(originals), _edges(views)
    # A image without edges is zero throughout: over 1 it stays so.
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
    return np.array([kept_detail(*pair)[0] for pair in zip(before, after[:, None], strict=True)], np.float64)


@device_metric("detail_similarity", fits=_fits_details, finish=_finish_details)
def details(originals: Originals, views: Viewed, owners: Owners, /) -> Sums:
    """Gray of each cell and its square, summed."""
    found = dict[str, Any]()
    for name, images in (("before", originals), ("after", views)):
        cells = _cells(_gray(images), _DETAILS).long()
        sums = {name: cells.sum(dim=-1).flatten(1), f"{name}_squares": cells.square().sum(dim=-1).flatten(1)}
        found |= {key: each[owners] if name == "before" else each for key, each in sums.items()}
    return found


def _gray(images: Viewed) -> Int32[torch.Tensor, "views height width"]:
    """In thousandths of a gray level, whole."""
    red, green, blue = images.int().unbind(-1)
    return red * _WEIGHTS[0] + green * _WEIGHTS[1] + blue * _WEIGHTS[2]


def _cells(
    values: Int32[torch.Tensor, "views height width"], count: int
) -> Int32[torch.Tensor, "views count count pixels"]:
    """The pixels of the count by count cells; integer division, the remainder is dropped."""
    views, height, width = values.shape
    high, wide = height // count, width // count
    inner = values[:, : high * count, : wide * count].reshape(views, count, high, count, wide)
    return inner.transpose(2, 3).flatten(3)


def _edges(images: Viewed) -> Int32[torch.Tensor, "views height width"]:
    """Twice |Gx| + |Gy|, in thousandths of a gray level: doubled, the differences stay whole."""
    gray = _gray(images)
    return _doubled(gray, 1) + _doubled(gray, 2)


def _doubled(gray: Int32[torch.Tensor, "views height width"], dim: int) -> Any:
    """Twice the differences along a side: central, and one-sided at the border."""
    length = gray.shape[dim]
    one_sided = (gray.narrow(dim, 1, length - 1) - gray.narrow(dim, 0, length - 1)).abs_() * 2
    first, last = one_sided.narrow(dim, 0, 1), one_sided.narrow(dim, length - 2, 1)
    central = (gray.narrow(dim, 2, length - 2) - gray.narrow(dim, 0, length - 2)).abs_()
    return torch.cat([first, central, last], dim=dim)
