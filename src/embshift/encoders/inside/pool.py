"""Pooling heads as linear maps: attention of a learned probe over patches, or their plain mean."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float64

from embshift.core.errors import EncoderError
from embshift.encoders.inside.parts import Parts

__all__ = ["Pool", "attend", "find_pool"]

Pooled = Float64[torch.Tensor, "views width"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pool:
    """A pooling head.

    Attributes:
        heads: Its attention heads; 1 for a mean.
        learned: Whether a probe looks, so that the weights of the patches may change.
        query: Query of each head, (heads, part); None for a mean.
        key: Weight and bias of the keys; None for a mean.
        value: Weight of the values, (heads, part, width); None for a mean.
        output: Weight of the output, (width, heads, part); None for a mean.
        constant: What the biases of values and output add: attention sums to 1.
        inner: The head's own inner layers, in float64; None without them.
    """

    heads: int
    learned: bool
    query: Float64[torch.Tensor, "heads part"] | None
    key: tuple[torch.Tensor, torch.Tensor] | None
    value: Float64[torch.Tensor, "heads part width"] | None
    output: Float64[torch.Tensor, "width heads part"] | None
    constant: Float64[torch.Tensor, " width"] | float
    inner: Callable[[Pooled], Pooled] | None

    def apply(self, rows: Float64[torch.Tensor, "views heads width"]) -> Pooled:
        """Return the head's output for the weighted sum of patches of each head, without constants."""
        if self.value is None or self.output is None:
            return rows[:, 0]
        values = torch.einsum("nhd,hcd->nhc", rows, self.value)
        return torch.einsum("nhc,dhc->nd", values, self.output)


def attend(
    pool: Pool, patches: Float64[torch.Tensor, "views patches width"], /
) -> Float64[torch.Tensor, "views heads patches"]:
    """Return the weight of each patch in each head; the weights of a head sum to 1."""
    count = patches.shape[1]
    if pool.query is None or pool.key is None:
        return patches.new_full((len(patches), 1, count), 1 / count)
    weight, bias = pool.key
    key = (patches @ weight.T + bias).unflatten(-1, (pool.heads, -1))  # (views, patches, heads, part)
    logits = torch.einsum("hc,nphc->nhp", pool.query, key) * pool.query.shape[-1] ** -0.5
    return logits.softmax(dim=-1)


def find_pool(parts: Parts) -> Pool:
    """Return the pooling of a network without a class token.

    Raises:
        EncoderError: If the head's parts are not known.
    """
    head = parts.pool
    if head is None:
        return Pool(
            heads=1, learned=False, query=None, key=None, value=None, output=None, constant=0.0, inner=None
        )
    if isinstance(getattr(head, "attention", None), torch.nn.MultiheadAttention):
        return _find_siglip_pool(head)
    if hasattr(head, "cls_token") and hasattr(head, "output_proj"):
        return _find_aimv2_pool(head)
    raise EncoderError(
        f"the pooling head {type(head).__name__} is built otherwise than in known versions of transformers,"
        " so the network cannot be explained"
    )


def _find_siglip_pool(head: Any) -> Pool:
    attention = head.attention
    width, heads = attention.embed_dim, attention.num_heads
    weight, bias = attention.in_proj_weight.double(), attention.in_proj_bias.double()
    output = attention.out_proj.weight.double()
    query = head.probe[0, 0].double() @ weight[:width].T + bias[:width]
    norm, layers = _to_double(head.layernorm), _to_double(head.mlp)
    return Pool(
        heads=heads,
        learned=True,
        query=query.unflatten(0, (heads, -1)),
        key=(weight[width : 2 * width], bias[width : 2 * width]),
        value=weight[2 * width :].unflatten(0, (heads, -1)),
        output=output.unflatten(1, (heads, -1)),
        constant=output @ bias[2 * width :] + attention.out_proj.bias.double(),
        inner=lambda rows: layers(norm(rows)),
    )


def _find_aimv2_pool(head: Any) -> Pool:
    heads = head.num_heads
    key, value, output = (head.k_proj, head.v_proj, head.output_proj)
    zeros = value.weight.new_zeros(value.weight.shape[0]).double()
    constant = output.weight.double() @ (zeros if value.bias is None else value.bias.double())
    return Pool(
        heads=heads,
        learned=True,
        query=head.cls_token[0, 0].double().unflatten(0, (heads, -1)),
        key=(key.weight.double(), zeros if key.bias is None else key.bias.double()),
        value=value.weight.double().unflatten(0, (heads, -1)),
        output=output.weight.double().unflatten(1, (heads, -1)),
        constant=constant + output.bias.double(),
        inner=None,
    )


def _to_double(module: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of a module in float64; the network itself stays as it is."""
    return copy.deepcopy(module).double()
