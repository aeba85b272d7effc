"""Attention rows of pooling heads, which do not use the library's attention interface.

In a pooling head, a learned probe attends to the patches, and the result is the embedding. When the row is
wanted, a hook recomputes it from the head's own weights; the hook is removed afterwards.
"""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float

from embshift.core.errors import EncoderError

__all__ = ["PoolingHead", "compute_latent_row", "find_aimv2_head", "find_siglip_head", "record_pooling"]

HeadRow = Float[torch.Tensor, "views heads patches"]
Row = Callable[[Any, tuple[Any, ...], Mapping[str, Any]], HeadRow]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolingHead:
    """A module in which a probe attends to patches.

    Attributes:
        module: The module that is called with the patches.
        row: Computes the probe's row from the module, its inputs and its options.
    """

    module: torch.nn.Module
    row: Row


@contextmanager
def record_pooling(head: PoolingHead) -> Generator[list[HeadRow]]:
    """Record the probe's row during one forward pass, in a list that is empty until the head is called.

    Raises:
        EncoderError: The head was not called exactly once.
    """
    recorded: list[HeadRow] = []
    owner = threading.get_ident()

    def record(module: torch.nn.Module, inputs: tuple[Any, ...], options: dict[str, Any]) -> None:
        # Another thread may use the same weights at the same time.
        if threading.get_ident() == owner:
            recorded.append(head.row(module, inputs, options))

    handle = head.module.register_forward_pre_hook(record, with_kwargs=True)
    try:
        yield recorded
    finally:
        handle.remove()
    if len(recorded) != 1:
        raise EncoderError(
            f"the pooling head was called {len(recorded)} times instead of once; it gives no map"
        )


def find_siglip_head(network: torch.nn.Module) -> PoolingHead:
    """Return the pooling head of SigLIP and SigLIP 2: the network's only multi-head attention."""
    found = [module for module in network.modules() if isinstance(module, torch.nn.MultiheadAttention)]
    if len(found) != 1:
        raise EncoderError(f"expected one pooling head, found {len(found)}")
    return PoolingHead(module=found[0], row=_compute_probe_row)


def find_aimv2_head(network: torch.nn.Module) -> PoolingHead:
    """Return the pooling head of AIMv2, whose probe is the query without a projection."""
    from transformers.models.aimv2.modeling_aimv2 import Aimv2AttentionPoolingHead

    found = [module for module in network.modules() if isinstance(module, Aimv2AttentionPoolingHead)]
    if len(found) != 1:
        raise EncoderError(f"expected one pooling head, found {len(found)}")
    return PoolingHead(module=found[0], row=_compute_token_row)


def _compute_probe_row(
    attention: Any, inputs: tuple[torch.Tensor, ...], options: Mapping[str, Any]
) -> HeadRow:
    probe, patches = inputs[0], inputs[1]
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    dim, heads = attention.embed_dim, attention.num_heads
    # The three projections are stored as one, in the order query, key, value.
    query: torch.Tensor = torch.nn.functional.linear(probe[:, 0], weight[:dim], bias[:dim])
    key: torch.Tensor = torch.nn.functional.linear(patches, weight[dim : 2 * dim], bias[dim : 2 * dim])
    return _attend(_split_heads(query, heads=heads), _split_heads(key, heads=heads), options.get("attn_mask"))


def _compute_token_row(head: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> HeadRow:
    patches: torch.Tensor = inputs[0] if inputs else options["hidden_states"]
    query: torch.Tensor = head.cls_token[:, 0].expand(patches.shape[0], -1)
    key: torch.Tensor = head.k_proj(patches)
    return _attend(_split_heads(query, heads=head.num_heads), _split_heads(key, heads=head.num_heads), None)


def compute_latent_row(head: Any, inputs: tuple[Any, ...], options: Mapping[str, Any]) -> HeadRow:
    """Return the row of a pool of timm, whose probe is a latent vector with its own projection."""
    patches: torch.Tensor = inputs[0]
    placed = patches if head.pos_embed is None else patches + head.pos_embed
    both = _split_heads(head.kv(placed), heads=2 * head.num_heads)  # keys, then values
    key: torch.Tensor = head.k_norm(both[..., : head.num_heads, :])
    query: torch.Tensor = head.q_norm(_split_heads(head.q(head.latent[:, 0]), heads=head.num_heads))
    # Not a product of matrices, which rounds a row by its place in the batch.
    products = (key * query[:, None]).sum(-1).transpose(1, 2) * head.scale  # (views, heads, patches)
    if options.get("attn_mask") is not None:
        raise EncoderError("cannot record the attention of a pool with a mask; no known encoder has one")
    return products.softmax(dim=-1)


def _split_heads(
    values: Float[torch.Tensor, "... width"], *, heads: int
) -> Float[torch.Tensor, "... heads dim"]:
    return values.reshape(*values.shape[:-1], heads, values.shape[-1] // heads)


def _attend(
    query: Float[torch.Tensor, "views heads dim"],
    key: Float[torch.Tensor, "views patches heads dim"],
    mask: torch.Tensor | None,
) -> HeadRow:
    products = torch.einsum("vhd,vphd->vhp", query, key) * query.shape[-1] ** -0.5
    if mask is not None:
        # The head's mask is additive, (views * heads, 1, patches).
        products = products + mask.reshape(products.shape)
    return products.softmax(dim=-1)
