"""Queries, keys and values of the class token's attention, computed again from a block's own weights."""

import torch
from jaxtyping import Float, Float32

from embshift.encoders.inside.observed import Observed
from embshift.encoders.inside.parts import BlockParts, Parts

__all__ = ["attend_class", "compute_keys_and_values", "split_heads"]

Split = Float[torch.Tensor, "views heads tokens part"]


def compute_keys_and_values(parts: Parts, seen: Observed, at: int) -> tuple[Split, Split]:
    """Return keys, with their rotary positions, and values of all tokens in one block.

    Args:
        parts: The parts of the network.
        seen: The views.
        at: Position of the block.
    """
    attention, states = parts.blocks[at].attention, seen.attended[at]
    key = split_heads(attention.k_proj(states), heads=parts.heads)
    value = split_heads(attention.v_proj(states), heads=parts.heads)
    return key if seen.rotation is None else _rotate(key, *seen.rotation), value


def attend_class(
    block: BlockParts, states: Float32[torch.Tensor, "views tokens width"], key: Split
) -> Float32[torch.Tensor, "views heads tokens"]:
    """Return the class token's attention to all tokens.

    Args:
        block: The block.
        states: Input of its attention.
        key: Keys of all tokens.
    """
    query = split_heads(block.attention.q_proj(states[:, :1]), heads=key.shape[1])
    return (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(dim=-1)[:, :, 0]


def split_heads(values: Float[torch.Tensor, "views tokens width"], *, heads: int) -> Split:
    """Return values with their heads apart."""
    return values.unflatten(-1, (heads, -1)).transpose(1, 2)


def _rotate(key: Split, cosine: torch.Tensor, sine: torch.Tensor) -> Split:
    """Turn the keys of the patches, which stand last, by their positions."""
    count = cosine.shape[-2]
    still, turned = key[..., :-count, :], key[..., -count:, :]
    half = turned.shape[-1] // 2
    crossed = torch.cat([-turned[..., half:], turned[..., :half]], dim=-1)
    return torch.cat([still, turned * cosine + crossed * sine], dim=-2)
