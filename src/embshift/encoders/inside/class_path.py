"""Patches followed along the class token: every head and inner layers, for about two passes a view.

What a part writes into the class token is exchanged, and the class token is followed through later blocks,
while the other tokens stay as they were. In the last block this is the full effect. In earlier blocks it
leaves out what the class token tells the patches and they tell it back.

References:
    Heimersheim & Nanda 2024, How to use and interpret activation patching, arXiv 2404.15255; Wang et al.
    2023, Interpretability in the Wild, arXiv 2211.00593, for patches along a path.
"""

import torch
from jaxtyping import Float32

from embshift.encoders.inside.attention import compute_keys_and_values, split_heads
from embshift.encoders.inside.class_shares import read_stream
from embshift.encoders.inside.observed import Observed
from embshift.encoders.inside.parts import BlockParts, Parts
from embshift.encoders.inside.results import DIRECTIONS, Patches, compare_patched

__all__ = ["patch_class_path"]

State = Float32[torch.Tensor, "views variants width"]


def patch_class_path(parts: Parts, clean: Observed, views: Observed, *, direction: str) -> Patches:
    """Patch every part of the class token, the stem excepted, along the class token's path.

    Args:
        parts: The parts of the network.
        clean: The original, one row.
        views: Its views.
        direction: One of `DIRECTIONS`.

    Returns:
        One column for each head and inner layers, block by block.
    """
    base, other = (views, clean) if direction == DIRECTIONS[0] else (clean, views)
    count = len(views)
    state = base.stem[:, :1].expand(count, -1, -1)[:, :0]
    stream = base.stem[:, 0]
    for at, block in enumerate(parts.blocks):
        state = _follow(parts, block, base, at, state)
        middle = stream + _scale(block.output(base.heads[at][:, 0].flatten(1)), block.scale)
        state = torch.cat([state, _begin(parts, block, base, other, at, middle, count=count)], dim=1)
        stream = middle + base.inner[at][:, 0]
    return compare_patched(
        clean.embedding, views.embedding, read_stream(parts, state.double()), direction=direction
    )


def _begin(
    parts: Parts,
    block: BlockParts,
    base: Observed,
    other: Observed,
    at: int,
    middle: Float32[torch.Tensor, "_ width"],
    *,
    count: int,
) -> State:
    """Return the class token after a block in which one head's part, or the inner layers', is exchanged."""
    change = other.heads[at][:, 0] - base.heads[at][:, 0]  # (views, heads, part)
    weight = block.output.weight.unflatten(1, (parts.heads, -1))
    heads = middle[:, None] + _scale(torch.einsum("nhc,dhc->nhd", change, weight), block.scale)
    heads = heads + _scale(block.inner(block.inner_norm(heads.contiguous())), block.inner_scale)
    inner = (middle + other.inner[at][:, 0])[:, None]
    return torch.cat([heads.expand(count, -1, -1), inner.expand(count, -1, -1)], dim=1)


def _follow(parts: Parts, block: BlockParts, base: Observed, at: int, state: State) -> State:
    """Return class tokens after one more block, in which the other tokens are those of the base pass."""
    if not state.shape[1]:
        return state
    normed = block.norm(state)
    key, value = compute_keys_and_values(parts, base, at)
    query, own_key, own_value = (
        split_heads(project(normed), heads=parts.heads)
        for project in (block.attention.q_proj, block.attention.k_proj, block.attention.v_proj)
    )
    own = (query * own_key).sum(dim=-1, keepdim=True)
    logits = torch.cat([own, query @ key[:, :, 1:].transpose(-1, -2)], dim=-1) * query.shape[-1] ** -0.5
    weight = logits.softmax(dim=-1)
    heard = weight[..., :1] * own_value + weight[..., 1:] @ value[:, :, 1:]
    state = state + _scale(block.output(heard.transpose(1, 2).flatten(2)), block.scale)
    return state + _scale(block.inner(block.inner_norm(state)), block.inner_scale)


def _scale(values: torch.Tensor, scale: torch.Tensor | None) -> torch.Tensor:
    return values if scale is None else values * scale
