r"""Where in the image the shift comes from: the parts of the patches, for view and original.

Where the embedding is read from the class token, the part of source token $j$ is what all heads read from
it, $\sum_{lh} a_{lhj} \langle v_{lhj}, g_{lh}\rangle$, $g_{lh}$ being the shift pulled back to the head.
Where it is pooled, it is what the patch itself adds to the pool. The sum over a view's tokens less that over
the original's is the share of what has a place: heads, or everything but the pool's inner layers.

A value's bias, and any constant added to all values, moves such maps between tokens and never changes their
sums. The maps are given with the biases as they are: that is the gauge.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64

from embshift.core.encoding import Encoding
from embshift.core.types import Coordinates, Field
from embshift.encoders.inside.attention import attend_class, compute_keys_and_values
from embshift.encoders.inside.carrying import carry_map, find_overlap
from embshift.encoders.inside.class_shares import pull_back, pull_to_heads
from embshift.encoders.inside.norms import apply_norm, scale_rows
from embshift.encoders.inside.observed import Observed
from embshift.encoders.inside.parts import Parts
from embshift.encoders.inside.pool import Pool, attend
from embshift.encoders.inside.results import ROUNDING, compute_shift

__all__ = ["GAUGE", "SourceMap", "map_class_sources", "map_lite_sources", "map_pooled_sources", "place_maps"]

GAUGE = "values with their biases, as the network computes them"

Maps = tuple[Float64[torch.Tensor, "views tokens"], Float64[torch.Tensor, "views tokens"]]
"""Parts of the tokens of each view, and of its original, both in units of the view's share."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceMap:
    """Where in one view the shift comes from, in units of share.

    Attributes:
        grid: Rows and columns of patches.
        field: The rectangle of the image that the encoder saw.
        view: Part of each patch of the view.
        clean: Part of each patch of the original, at its place there.
        carried: The same, carried along the transform to its place in the view.
        left_picture: What of the original's part is outside the view.
        not_placed: Share without a place: 1 less the sum of `view` plus the sum of `clean`.
    """

    grid: tuple[int, int]
    field: Field
    view: Float64[np.ndarray, " patches"]
    clean: Float64[np.ndarray, " patches"]
    carried: Float64[np.ndarray, " patches"]
    left_picture: float
    not_placed: float


def map_class_sources(parts: Parts, clean: Observed, views: Observed) -> Maps:
    """Return the parts of all source tokens of the heads: class token, registers and patches.

    Args:
        parts: The parts of the network.
        clean: The original, one row.
        views: Its views.
    """
    pulled, _ = pull_back(parts, clean, views)
    count, found = len(views), list[torch.Tensor]()
    back = pull_to_heads(parts, pulled)
    for seen in (clean, views):
        total = torch.zeros(count, seen.attended[0].shape[1], dtype=torch.float64, device=pulled.device)
        for at, block in enumerate(parts.blocks):
            key, value = compute_keys_and_values(parts, seen, at)
            attention = attend_class(block, seen.attended[at], key).double()
            weighed = torch.einsum("nhtc,nhc->nht", value.double().expand(count, -1, -1, -1), back[at])
            total += (attention * weighed).sum(dim=1)
        found.append(total)
    return found[1], found[0]


def map_pooled_sources(parts: Parts, pool: Pool, clean: Observed, views: Observed) -> Maps:
    """Return the parts of all patches in the pool.

    Args:
        parts: The parts of the network.
        pool: Its pooling head.
        clean: The original, one row.
        views: Its views.
    """
    factor = _pull_back_unit(clean, views)
    back = factor if parts.projection is None else factor @ parts.projection.double()
    found = list[torch.Tensor]()
    for seen in (clean, views):
        rows = seen.final.double()
        scaled, sigma = scale_rows(parts.final_norm, rows)
        weight = attend(pool, apply_norm(parts.final_norm, rows))  # (views, heads, patches)
        if pool.value is None or pool.output is None:
            heads = back[:, None]
        else:
            heads = torch.einsum("nd,dhc,hcw->nhw", back, pool.output, pool.value)
        weighed = torch.einsum("nhw,npw->nhp", heads, (scaled / sigma).expand(len(views), -1, -1))
        found.append((weight * weighed).sum(dim=1))
    return found[1], found[0]


def map_lite_sources(clean: Encoding, views: Encoding) -> Maps:
    """Return the parts of all patches of ``lite``.

    Args:
        clean: The original with attention and tokens, one row.
        views: Its views.
    """
    factor = _pull_back_unit(clean, views)
    found = list[torch.Tensor]()
    for seen in (clean, views):
        assert seen.attention is not None, "it is captured"
        assert seen.tokens is not None, "they are captured"
        weighed = torch.einsum(
            "npd,nd->np", seen.tokens[:, -1, 1:].double().expand(len(views), -1, -1), factor
        )
        found.append(seen.attention.double().mean(dim=1) * weighed)
    return found[1], found[0]


def _pull_back_unit(
    clean: Observed | Encoding, views: Observed | Encoding
) -> Float64[torch.Tensor, "views dim"]:
    r"""Return $2 \Delta / ((n + n') \lVert\Delta\rVert^2)$ of raw embeddings' lengths n and n'."""
    delta, length = compute_shift(clean.embedding, views.embedding)
    lengths = clean.embedding.double().norm(dim=-1) + views.embedding.double().norm(dim=-1)
    return delta * (2 / (lengths * length.square()))[:, None]


def place_maps(
    maps: Maps,
    coordinates: Sequence[Coordinates | None],
    *,
    prefix: int,
    seen: Observed | Encoding,
    clean: Observed | Encoding,
) -> list[SourceMap]:
    """Place the parts of the patches in the view, the original's carried along the transform.

    Args:
        maps: Parts of the tokens of view and original.
        coordinates: Coordinate map of each view; None where pixels stay.
        prefix: Number of tokens before the patches.
        seen: The views.
        clean: The original.
    """
    _, length = compute_shift(clean.embedding, seen.embedding)
    grid, field, count = seen.grid, seen.field, seen.grid[0] * seen.grid[1]
    found = list[SourceMap]()
    for at, places in enumerate(coordinates):
        view, before = (part[at, prefix : prefix + count].cpu().numpy() for part in maps)
        if float(length[at]) <= ROUNDING:
            view, before = np.full(count, np.nan), np.full(count, np.nan)
        overlap = None if places is None else find_overlap(places, grid=grid, field=field)
        carried, left = carry_map(before, overlap)
        found.append(
            SourceMap(
                grid=grid,
                field=field,
                view=view,
                clean=before,
                carried=carried,
                left_picture=left,
                not_placed=1 - float(view.sum()) + float(before.sum()),
            )
        )
    return found
