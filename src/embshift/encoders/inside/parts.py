"""The parts of a network that its embedding is a sum of, found by their names in the transformers library."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float32, Float64

from embshift.core.errors import EncoderError
from embshift.encoders.towers.tower import Tower

__all__ = ["BlockParts", "Parts", "find_parts"]

_NORMS = ("layer_norm1", "norm1", "layernorm_before", "rms_norm1")
_INNER_NORMS = ("layer_norm2", "norm2", "layernorm_after", "rms_norm2")
_OUTPUTS = ("out_proj", "o_proj")
_INNER = ("mlp", "ffn")
_ATTENTIONS = ("self_attn", "attention")
_FINAL_NORMS = ("post_layernorm", "layernorm", "norm", "rms_norm")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BlockParts:
    """The parts of one pre-norm block.

    Attributes:
        module: The block.
        norm: The norm before its attention.
        attention: Its attention, with ``q_proj``, ``k_proj`` and ``v_proj``.
        output: The output projection, which reads the heads side by side.
        output_weight: Its weight, (width, heads · part), in double precision: kept, since converting it takes
            long.
        scale: Layer scale after the attention; None where there is none.
        inner_norm: The norm before its inner layers.
        inner: Its inner layers.
        inner_scale: Layer scale after the inner layers; None where there is none.
    """

    module: torch.nn.Module
    norm: torch.nn.Module
    attention: Any
    output: Any
    output_weight: Float64[torch.Tensor, "width _"]
    scale: torch.Tensor | None
    inner_norm: torch.nn.Module
    inner: torch.nn.Module
    inner_scale: torch.Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parts:
    """The parts of a network.

    Attributes:
        blocks: Its blocks, in order.
        outputs: Weights of all output projections in the network's own precision, side by side in memory.
        heads: Attention heads of a block.
        final_norm: The norm after the last block.
        projection: The projection after the final norm, (dim, width); None where there is none.
        pool: The pooling head; None where there is none.
        prefix: Number of tokens before the patches; 0 without a class token.
    """

    blocks: tuple[BlockParts, ...]
    outputs: Float32[torch.Tensor, "blocks width _"]
    heads: int
    final_norm: Any
    projection: torch.Tensor | None
    pool: Any
    prefix: int

    @property
    def readout(self) -> str:
        """How the embedding is read: "class", "probe" or "mean"."""
        if self.prefix:
            return "class"
        return "mean" if self.pool is None else "probe"


def find_parts(tower: Tower) -> Parts:
    """Return the parts of an opened network.

    Args:
        tower: The network.

    Raises:
        EncoderError: If a part has another name than in the known versions of the library.
    """
    network: Any = tower.network
    vision = getattr(network, "vision_model", network)
    projection = getattr(network, "visual_projection", None)
    blocks = tuple(_find_block(block) for block in _find_blocks(vision, count=tower.blocks))
    return Parts(
        blocks=blocks,
        outputs=torch.stack([block.output.weight.detach() for block in blocks]),
        heads=tower.heads,
        final_norm=_find_final_norm(vision),
        projection=None if projection is None else projection.weight,
        pool=getattr(vision, "head", None) if tower.pooling is not None else None,
        prefix=tower.prefix,
    )


def _find_blocks(vision: torch.nn.Module, *, count: int) -> torch.nn.ModuleList:
    for module in vision.modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == count and _has_attention(module[0]):
            return module
    raise _make_error("its blocks", vision)


def _has_attention(block: torch.nn.Module) -> bool:
    return any(hasattr(block, name) for name in _ATTENTIONS)


def _find_block(block: Any) -> BlockParts:
    attention = _find(block, _ATTENTIONS, what="the attention of a block")
    for name in ("q_proj", "k_proj", "v_proj"):
        if not isinstance(getattr(attention, name, None), torch.nn.Linear):
            raise _make_error(f"{name} of an attention", attention)
    output = _find(attention, _OUTPUTS, what="the output projection of an attention")
    return BlockParts(
        module=block,
        norm=_find(block, _NORMS, what="the norm before an attention"),
        attention=attention,
        output=output,
        output_weight=output.weight.detach().double(),
        scale=_find_scale(block, "layer_scale1"),
        inner_norm=_find(block, _INNER_NORMS, what="the norm before inner layers"),
        inner=_find(block, _INNER, what="the inner layers of a block"),
        inner_scale=_find_scale(block, "layer_scale2"),
    )


def _find_scale(block: Any, name: str) -> torch.Tensor | None:
    scale = getattr(block, name, None)
    if scale is None or isinstance(scale, torch.nn.Identity):
        return None
    values = getattr(scale, "lambda1", None)
    if not isinstance(values, torch.Tensor):
        raise _make_error(f"the values of {name}", scale)
    return values


def _find_final_norm(vision: torch.nn.Module) -> Any:
    own = dict(vision.named_children())
    found = [own[name] for name in _FINAL_NORMS if name in own]
    if len(found) != 1 or not isinstance(getattr(found[0], "weight", None), torch.Tensor):
        raise _make_error("the norm after the last block", vision)
    return found[0]


def _find(module: Any, names: tuple[str, ...], *, what: str) -> Any:
    found = [getattr(module, name) for name in names if hasattr(module, name)]
    if len(found) != 1:
        raise _make_error(what, module)
    return found[0]


def _make_error(what: str, module: torch.nn.Module) -> EncoderError:
    return EncoderError(
        f"{what} cannot be found in a {type(module).__name__}; this version of transformers names or builds"
        " it otherwise, so the network cannot be explained"
    )
