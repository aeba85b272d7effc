"""AIMv2: no class token; a probe pools the patches, or nothing does."""

from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from embshift.core.errors import EncoderError
from embshift.encoders.checkpoints import Weights
from embshift.encoders.maps.pooling import PoolingHead, aimv2_head
from embshift.encoders.towers.family import POOLING_MAP, Inputs, family
from embshift.encoders.towers.tower import Tower, build_network, image_sides

__all__ = ["aimv2_tower"]


@family(
    name="aimv2",
    summary="AIMv2 (2024), autoregressive over patches and text",
    embedding="output of the pooling head, projected where there is text; without a head, the mean patch",
    map_source=f"{POOLING_MAP}; without a head, attention received in the last block",
    model_types=("aimv2", "aimv2_vision_model"),
    processor="CLIPImageProcessor",
)
def aimv2_tower(config: Any, weights: Weights) -> Tower:
    """An AIMv2 checkpoint: with text, of the seeing half with its head, or without."""
    return _whole(config, weights) if hasattr(config, "vision_config") else _half(config, weights)


def _whole(config: Any, weights: Weights) -> Tower:
    from transformers import Aimv2Model

    if not config.vision_config.use_head:
        raise EncoderError("an AIMv2 checkpoint with text needs a pooling head, and its use_head is false")
    network: Any = build_network(Aimv2Model, config=config, weights=weights)
    # The library has no class of the projected seeing half alone; the text half is let go.
    del network.text_model
    network.vision_model.use_head = False
    return _tower(
        config.vision_config,
        network,
        embed=_projected,
        embedding="projected output of the pooling head",
        dim=config.projection_dim,
        pooling=aimv2_head(network),
    )


def _half(config: Any, weights: Weights) -> Tower:
    from transformers import Aimv2VisionModel

    network: Any = build_network(Aimv2VisionModel, config=config, weights=weights)
    head = bool(config.use_head)
    network.use_head = False
    return _tower(
        config,
        network,
        embed=_pooled if head else _patch_mean,
        embedding="output of the pooling head" if head else "mean of the patches after the final norm",
        dim=config.hidden_size,
        pooling=aimv2_head(network) if head else None,
    )


def _tower(
    vision: Any, network: Any, *, embed: Any, embedding: str, dim: int, pooling: PoolingHead | None
) -> Tower:
    return Tower(
        network=network,
        embed=embed,
        embedding=embedding,
        dim=dim,
        blocks=vision.num_hidden_layers,
        heads=vision.num_attention_heads,
        patch=vision.patch_size,
        sides=None if vision.is_native else image_sides(vision),
        pooling=pooling,
    )


def _projected(network: Any, inputs: Inputs) -> torch.Tensor:
    return network.visual_projection(_pooled(network.vision_model, inputs))


def _pooled(vision: Any, inputs: Inputs) -> torch.Tensor:
    patches = vision(**inputs).last_hidden_state
    # The fused attention rounds a single query by its place in the batch, so that a view's embedding would
    # depend on where it stands; the head is called apart from the blocks, which keep the fused one.
    with sdpa_kernel(SDPBackend.MATH):
        return vision.head(patches)


def _patch_mean(network: Any, inputs: Inputs) -> torch.Tensor:
    return network(**inputs).last_hidden_state.mean(dim=1)
