"""Attention rows of other libraries' blocks: the class token's in the last one, or a pooling probe's.

The network's own pass stays as it is. When the row is wanted, a hook computes it again from what the module
is called with, and the hook is removed afterwards.
"""

import copy
from collections.abc import Mapping
from typing import Any, final

import torch
from jaxtyping import Float

from embshift.core.errors import EncoderError
from embshift.encoders.borrowed.encoder import PatchMap
from embshift.encoders.maps.pooling import PoolingHead, compute_latent_row

__all__ = ["CLASS_SOURCE", "find_trunk_map", "make_class_head"]

CLASS_SOURCE = "last block, class token to patches, one map per head"
_POOLING_SOURCE = "pooling head, its probe to patches, one map per head"

Row = Float[torch.Tensor, "views heads patches"]


def make_class_head(attention: torch.nn.MultiheadAttention) -> PoolingHead:
    """Return what gives the class token's row of torch's own attention, which is called for its weights."""
    return PoolingHead(module=attention, row=_call_for_weights)


def _call_for_weights(attention: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Row:
    if options.get("attn_mask") is not None:
        raise EncoderError("cannot record the attention of a block with a mask; no known encoder has one")
    query, key, value = inputs[:3]
    first = query[:, :1] if attention.batch_first else query[:1]
    # Not through the module's call, which would run the hook again.
    _, weights = attention.forward(first, key, value, need_weights=True, average_attn_weights=False)
    return weights[:, :, 0, 1:]


def find_trunk_map(trunk: Any, /) -> PatchMap | None:
    """Return where the map of a timm network comes from.

    It is the class token's row where that token is the embedding, or the probe's row of an attention pool;
    None for every other network.
    """
    grid = getattr(getattr(trunk, "patch_embed", None), "grid_size", None)
    prefix, pool = int(getattr(trunk, "num_prefix_tokens", 0)), getattr(trunk, "global_pool", None)
    if grid is None:
        return None
    sides = (int(grid[0]), int(grid[1]))
    probe: Any = getattr(trunk, "attn_pool", None)
    if pool == "map" and getattr(probe, "latent_len", 0) == 1:
        skipped = prefix if getattr(trunk, "pool_include_prefix", False) else 0
        return PatchMap(head=_make_probe_head(probe, skipped), source=_POOLING_SOURCE, grid=sides)
    blocks = getattr(trunk, "blocks", None)
    attention: Any = getattr(blocks[-1], "attn", None) if blocks else None
    if pool != "token" or not prefix or not _can_unfuse(attention):
        return None
    return PatchMap(head=_make_unfused_head(attention, prefix), source=CLASS_SOURCE, grid=sides)


def _make_probe_head(probe: torch.nn.Module, skipped: int) -> PoolingHead:
    def row(module: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Row:
        return compute_latent_row(module, inputs, options)[..., skipped:]

    return PoolingHead(module=probe, row=row)


def _can_unfuse(attention: Any) -> bool:
    return hasattr(attention, "fused_attn") and isinstance(
        getattr(attention, "attn_drop", None), torch.nn.Module
    )


def _make_unfused_head(attention: torch.nn.Module, prefix: int) -> PoolingHead:
    def row(module: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> Row:
        recorder = _Recorder(prefix)
        # A copy that shares the weights: the module itself stays fused, also for other threads.
        unfused: Any = copy.copy(module)
        vars(unfused)["_modules"] = {**dict(module.named_children()), "attn_drop": recorder}
        unfused.fused_attn = False
        unfused.forward(*inputs, **options)
        if recorder.row is None:
            raise EncoderError("the last block's attention gave no weights; this version of timm has no map")
        return recorder.row

    return PoolingHead(module=attention, row=row)


@final
class _Recorder(torch.nn.Module):
    """Stands where the weights pass on their way to the values, and keeps the class token's row."""

    def __init__(self, prefix: int) -> None:
        super().__init__()
        self._prefix = prefix
        self.row: Row | None = None

    def forward(
        self, weights: Float[torch.Tensor, "views heads tokens keys"]
    ) -> Float[torch.Tensor, "views heads tokens keys"]:
        self.row = weights[:, :, 0, self._prefix :]
        return weights
