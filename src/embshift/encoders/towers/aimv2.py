"""AIMv2: without a class token; the embedding is pooled by a probe, or the mean of the patches."""

from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from embshift.core.errors import EncoderError
from embshift.encoders.checkpoints import CheckpointWeights
from embshift.encoders.maps.pooling import PoolingHead, find_aimv2_head
from embshift.encoders.towers.family import POOLING_MAP, Inputs, family
from embshift.encoders.towers.tower import Tower, build_network
from embshift.encoders.towers.vision_config import read_image_sides, read_patch_sides

__all__ = ["aimv2_tower"]


@family(
    name="aimv2",
    summary="AIMv2 (2024), autoregressive over patches and text",
    embedding="output of the pooling head, projected where there is text; without a head, the mean patch",
    map_source=f"{POOLING_MAP}; without a head, attention received in the last block",
    model_types=("aimv2", "aimv2_vision_model"),
    processor="CLIPImageProcessor",
)
def aimv2_tower(config: Any, weights: CheckpointWeights) -> Tower:
    """Build the image tower of an AIMv2 checkpoint: with text, or vision only, with or without a head."""
    build = _build_from_pair if hasattr(config, "vision_config") else _build_from_vision
    return build(config, weights)


def _build_from_pair(config: Any, weights: CheckpointWeights) -> Tower:
    from transformers import Aimv2Model

    if not config.vision_config.use_head:
        raise EncoderError(
            "an AIMv2 checkpoint with text needs a pooling head, but use_head is false; use one that has it"
        )
    network: Any = build_network(Aimv2Model, config=config, weights=weights)
    # The library has no class for a projected image tower alone, so the text tower is deleted.
    del network.text_model
    network.vision_model.use_head = False
    return _make_tower(
        config.vision_config,
        network,
        embed=_embed_projected,
        embedding="projected output of the pooling head",
        dim=config.projection_dim,
        pooling=find_aimv2_head(network),
    )


def _build_from_vision(config: Any, weights: CheckpointWeights) -> Tower:
    from transformers import Aimv2VisionModel

    network: Any = build_network(Aimv2VisionModel, config=config, weights=weights)
    head = bool(config.use_head)
    network.use_head = False
    return _make_tower(
        config,
        network,
        embed=_embed_pooled if head else _average_patches,
        embedding="output of the pooling head" if head else "mean of the patches after the final norm",
        dim=config.hidden_size,
        pooling=find_aimv2_head(network) if head else None,
    )


def _make_tower(
    vision: Any, network: Any, *, embed: Any, embedding: str, dim: int, pooling: PoolingHead | None
) -> Tower:
    return Tower(
        network=network,
        embed=embed,
        embedding=embedding,
        dim=dim,
        blocks=vision.num_hidden_layers,
        heads=vision.num_attention_heads,
        patch=read_patch_sides(vision),
        sides=None if vision.is_native else read_image_sides(vision),
        pooling=pooling,
    )


def _embed_projected(network: Any, inputs: Inputs) -> torch.Tensor:
    return network.visual_projection(_embed_pooled(network.vision_model, inputs))


def _embed_pooled(vision: Any, inputs: Inputs) -> torch.Tensor:
    patches = vision(**inputs).last_hidden_state
    # The rounding of a single query by the fused attention depends on its place in the batch, and so would a
    # view's embedding. The head is therefore called apart from the blocks, which keep the fused attention.
    with sdpa_kernel(SDPBackend.MATH):
        return vision.head(patches)


def _average_patches(network: Any, inputs: Inputs) -> torch.Tensor:
    return network(**inputs).last_hidden_state.mean(dim=1)
