r"""Exact shares where the embedding is pooled from the patches, by a probe or as their mean.

With attention $a_{hp}$ of pooling head $h$ to patch $p$, the scale $\sigma_p$ of the norm,
$s_p = 1 / \sigma_p$ and $w_{hp} = a_{hp} s_p$, the embedding before the head's own inner layers is
$\sum_h B_h \sum_p w_{hp} \gamma \odot C x_p$ plus constants. Its difference has the parts

- $B \bar w\,\Delta x_c$ for each component $c$ of the stream, $\bar w$ being the mean of both passes;
- $B\,\bar s\,\Delta a_h\,\bar x$, "pool.h": how head $h$ of the pool looks elsewhere;
- $B\,\bar a\,\Delta s\,\bar x$, "norm_scale";
- what the head's inner layers add, "pool_mlp" (SigLIP).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float64

from embshift.encoders.inside.class_shares import project_rows
from embshift.encoders.inside.norms import apply_norm, scale_rows
from embshift.encoders.inside.observed import Observed
from embshift.encoders.inside.parts import Parts
from embshift.encoders.inside.pool import Pool, attend
from embshift.encoders.inside.results import (
    DIRECTIONS,
    Patches,
    Shares,
    compare_patched,
    compute_shift,
    mask_unmoved,
)

__all__ = ["compute_pooled_contributions", "compute_pooled_shares", "list_pool_components", "patch_pooled"]

Weights = Float64[torch.Tensor, "views heads patches"]
Rows = Float64[torch.Tensor, "views patches width"]
Vectors = Float64[torch.Tensor, "views dim"]


def list_pool_components(pool: Pool) -> list[str]:
    """Return the names of the components that belong to the pooling, in the order of the shares."""
    heads = [f"pool.{head}" for head in range(pool.heads)] if pool.learned else []
    return [*heads, "norm_scale", *(["pool_mlp"] if pool.inner is not None else [])]


def compute_pooled_shares(parts: Parts, pool: Pool, clean: Observed, views: Observed) -> Shares:
    """Compute the shares of stem, heads, inner layers and pooling.

    Args:
        parts: The parts of the network.
        pool: Its pooling head.
        clean: The original, one row.
        views: Its views.
    """
    delta, length = compute_shift(clean.embedding, views.embedding)
    vectors = compute_pooled_contributions(parts, pool, clean, views)
    share = torch.einsum("ncd,nd->nc", vectors, delta) / length.square()[:, None]
    ratio = views.embedding.double().norm(dim=-1) / clean.embedding.double().norm(dim=-1)
    return Shares(share=mask_unmoved(share, length), shift=length, length_ratio=ratio)


def compute_pooled_contributions(
    parts: Parts, pool: Pool, clean: Observed, views: Observed
) -> Float64[torch.Tensor, "views components dim"]:
    """Return each component's part of the shift as a vector; what is orthogonal to the shift is left out.

    Args:
        parts: The parts of the network.
        pool: Its pooling head.
        clean: The original, one row.
        views: Its views.
    """
    first, second = (_look(parts, pool, seen) for seen in (clean, views))
    weight = (first.attention * first.scale + second.attention * second.scale) / 2
    found = [_pool_rows(parts, pool, weight, change) for change in _list_changes(parts, clean, views)]
    found += _list_pool_parts(parts, pool, (clean, views), (first, second))
    lengths = clean.embedding.double().norm(dim=-1) + views.embedding.double().norm(dim=-1)
    return torch.stack(found, dim=1) * (2 / lengths)[:, None, None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Look:
    """Where the pool looks in one pass.

    Attributes:
        attention: Weight of each patch in each head.
        scale: 1 / σ of each patch.
        normed: The patches after the final norm.
    """

    attention: Weights
    scale: Float64[torch.Tensor, "views 1 patches"]
    normed: Rows


def _look(parts: Parts, pool: Pool, seen: Observed) -> _Look:
    rows = seen.final.double()
    normed, (_, sigma) = apply_norm(parts.final_norm, rows), scale_rows(parts.final_norm, rows)
    return _Look(attention=attend(pool, normed), scale=(1 / sigma[..., 0])[:, None], normed=normed)


def _pool_rows(parts: Parts, pool: Pool, weight: Weights, rows: Rows) -> Vectors:
    """Return what weighted rows of the stream add to the embedding, constants and inner layers left out."""
    scaled, _ = scale_rows(parts.final_norm, rows)
    return project_rows(parts, pool.apply(torch.einsum("nhp,npd->nhd", weight, scaled)))


def _list_changes(parts: Parts, clean: Observed, views: Observed) -> Iterator[Rows]:
    """Yield what each component adds to the patches of a view, less what it adds to the original's."""
    yield (views.stem - clean.stem).double()
    for at, block in enumerate(parts.blocks):
        heads = (views.heads[at] - clean.heads[at]).double()  # (views, patches, heads, part)
        weight = block.output_weight.unflatten(1, (parts.heads, -1))  # (width, heads, part)
        for head in range(parts.heads):
            added = heads[:, :, head] @ weight[:, head].T
            yield added if block.scale is None else added * block.scale.double()
        yield (views.inner[at] - clean.inner[at]).double()


def _list_pool_parts(
    parts: Parts, pool: Pool, seen: tuple[Observed, Observed], looks: tuple[_Look, _Look]
) -> Iterator[Vectors]:
    """Yield what belongs to the pooling: its heads, the norm's scale and its inner layers."""
    first, second = looks
    stream = (seen[0].final.double() + seen[1].final.double()) / 2
    turned = (second.attention - first.attention) * (first.scale + second.scale) / 2
    for head in range(pool.heads if pool.learned else 0):
        own = torch.zeros_like(turned)
        own[:, head] = turned[:, head]
        yield _pool_rows(parts, pool, own, stream)
    looked = (first.attention + second.attention) / 2
    yield _pool_rows(parts, pool, looked * (second.scale - first.scale), stream)
    if pool.inner is not None:
        before, after = (pool.inner(_pool_normed(pool, look.attention, look.normed)) for look in looks)
        yield project_rows(parts, after - before)


def _pool_normed(pool: Pool, attention: Weights, normed: Rows) -> Vectors:
    """Return what the pool gives before its inner layers, constants included."""
    return pool.apply(torch.einsum("nhp,npd->nhd", attention, normed)) + pool.constant


def patch_pooled(parts: Parts, pool: Pool, clean: Observed, views: Observed, *, direction: str) -> Patches:
    """Exchange what one component adds to the final stream of all patches, and pool again.

    Args:
        parts: The parts of the network.
        pool: Its pooling head.
        clean: The original, one row.
        views: Its views.
        direction: One of `DIRECTIONS`.
    """
    start, sign = (views, -1.0) if direction == DIRECTIONS[0] else (clean, 1.0)
    found = [
        _read_pooled(parts, pool, start.final.double() + sign * change)
        for change in _list_changes(parts, clean, views)
    ]
    return compare_patched(clean.embedding, views.embedding, torch.stack(found, dim=1), direction=direction)


def _read_pooled(parts: Parts, pool: Pool, rows: Rows) -> Vectors:
    """Return the embedding of final streams of all patches."""
    normed = apply_norm(parts.final_norm, rows)
    pooled = _pool_normed(pool, attend(pool, normed), normed)
    return project_rows(parts, pooled if pool.inner is None else pooled + pool.inner(pooled))
