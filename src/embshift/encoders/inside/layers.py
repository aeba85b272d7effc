"""How far original and view are apart after each layer, and how differently each head looks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64

from embshift.core.types import Coordinates, Field
from embshift.encoders.inside.carrying import Overlap, carry_map, find_overlap

__all__ = ["HALF", "HeadDivergences", "LayerProfile", "compare_attention", "compare_layers"]

HALF = 0.5
"""Share of a head's attention that the compared patches hold."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerProfile:
    """How far original and view are apart after each layer.

    Attributes:
        cosine: Cosine of the token that is read: the class token, or the mean of the patches.
        patch_cosine: Mean over the view's patches of the cosine with the original's patches that are shown
            there; NaN where a layer gives no patches, or no patch is left.
        clean: The read token of the original after each layer.
        views: The read tokens of the views.
    """

    cosine: Float64[np.ndarray, "views layers"]
    patch_cosine: Float64[np.ndarray, "views layers"]
    clean: Float64[np.ndarray, "layers width"]
    views: Float64[np.ndarray, "views layers width"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeadDivergences:
    """How differently each head looks at view and original, attention renormalised over patches.

    Values are NaN where a head's attention has left the view, and where the embedding is a mean of patches.

    Attributes:
        divergence: Jensen–Shannon divergence, in bits, 0 to 1.
        entropy_change: Entropy for the view minus that for the original, in bits.
        overlap: Intersection over union of the patches that hold half of the attention, 0 to 1.
    """

    divergence: Float64[np.ndarray, "views layers heads"]
    entropy_change: Float64[np.ndarray, "views layers heads"]
    overlap: Float64[np.ndarray, "views layers heads"]


def compare_layers(
    clean: Sequence[torch.Tensor],
    views: Sequence[torch.Tensor],
    coordinates: Sequence[Coordinates | None],
    *,
    prefix: int,
    grid: tuple[int, int],
    field: Field,
) -> LayerProfile:
    """Compare the streams of view and original after each layer.

    Args:
        clean: Tokens of the original after each layer, (1, tokens, width); one token where a layer gives no
            patches.
        views: Tokens of the views.
        coordinates: Coordinate map of each view; None where pixels stay.
        prefix: Number of tokens before the patches; 0 where the mean of the patches is read.
        grid: Rows and columns of patches.
        field: The rectangle of the image that the encoder saw.
    """
    read = [[_read(stream, prefix) for stream in streams] for streams in (clean, views)]
    overlaps = [None if one is None else find_overlap(one, grid=grid, field=field) for one in coordinates]
    before, after = (torch.stack(one, dim=1).double() for one in read)  # (views, layers, width)
    columns = [
        _compare_patches(one, other, overlaps, prefix=prefix, count=grid[0] * grid[1])
        for one, other in zip(clean, views, strict=True)
    ]
    return LayerProfile(
        cosine=torch.cosine_similarity(before, after, dim=-1).cpu().numpy(),
        patch_cosine=np.stack(columns, axis=1),
        clean=before[0].cpu().numpy(),
        views=after.cpu().numpy(),
    )


def _read(stream: torch.Tensor, prefix: int) -> torch.Tensor:
    return stream[:, 0] if prefix else stream.mean(dim=1)


def _compare_patches(
    clean: torch.Tensor,
    views: torch.Tensor,
    overlaps: Sequence[Overlap | None],
    *,
    prefix: int,
    count: int,
) -> Float64[np.ndarray, " views"]:
    if views.shape[1] < prefix + count:
        return np.full(len(views), np.nan)
    one = _to_unit(clean[0, prefix : prefix + count])
    found = [
        _align(one, _to_unit(view[prefix : prefix + count]), overlap)
        for view, overlap in zip(views, overlaps, strict=True)
    ]
    return np.array(found)


def _align(
    clean: Float64[np.ndarray, "patches width"],
    view: Float64[np.ndarray, "patches width"],
    overlap: Overlap | None,
) -> float:
    """Return the mean cosine over the patches of the view that show something of the original."""
    if overlap is None:
        return float((clean * view).sum(axis=1).mean())
    # Each patch of the view is compared with all that it shows, weighted by their part of it.
    shown = overlap.spread * overlap.visible
    total = shown.sum(axis=1)
    kept = total > 0
    if not kept.any():
        return float("nan")
    cosines = (view @ clean.T * shown).sum(axis=1)[kept] / total[kept]
    return float(cosines.mean())


def _to_unit(rows: torch.Tensor) -> Float64[np.ndarray, "patches width"]:
    values = rows.double()
    return (values / values.norm(dim=-1, keepdim=True)).cpu().numpy()


def compare_attention(
    clean: Float64[np.ndarray, "layers heads patches"],
    views: Float64[np.ndarray, "views layers heads patches"],
    coordinates: Sequence[Coordinates | None],
    *,
    grid: tuple[int, int],
    field: Field,
) -> HeadDivergences:
    """Compare the attention of each head to the patches of view and original.

    The original's attention is carried along the transform; what is outside the view is dropped, and both are
    divided by their sum.

    Args:
        clean: Attention rows of the original.
        views: Attention rows of the views.
        coordinates: Coordinate map of each view; None where pixels stay.
        grid: Rows and columns of patches.
        field: The rectangle of the image that the encoder saw.
    """
    found = np.full((3, *views.shape[:3]), np.nan)
    for at, places in enumerate(coordinates):
        overlap = None if places is None else find_overlap(places, grid=grid, field=field)
        for layer, head in np.ndindex(*views.shape[1:3]):
            carried, _ = carry_map(clean[layer, head], overlap)
            found[:, at, layer, head] = _compare_rows(carried, views[at, layer, head], clean[layer, head])
    return HeadDivergences(divergence=found[0], entropy_change=found[1], overlap=found[2])


def _compare_rows(
    carried: Float64[np.ndarray, " patches"],
    view: Float64[np.ndarray, " patches"],
    clean: Float64[np.ndarray, " patches"],
) -> tuple[float, float, float]:
    sums = carried.sum(), view.sum(), clean.sum()
    if not min(sums) > 0:  # NaN too
        return float("nan"), float("nan"), float("nan")
    p, q, whole = carried / sums[0], view / sums[1], clean / sums[2]
    between = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    one, other = _find_top(p), _find_top(q)
    shared = len(one & other) / len(one | other)
    return max(between, 0.0), _entropy(q) - _entropy(whole), shared


def _entropy(row: Float64[np.ndarray, " patches"]) -> float:
    kept = row[row > 0]
    return float(-(kept * np.log2(kept)).sum())


def _find_top(row: Float64[np.ndarray, " patches"]) -> set[int]:
    """Return the fewest patches that hold half of the attention; of equal ones the first."""
    order = np.argsort(-row, kind="stable")
    held = np.cumsum(row[order])
    count = int(np.searchsorted(held, HALF - 1e-12)) + 1
    return set(order[:count].tolist())
