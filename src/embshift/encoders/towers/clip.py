"""CLIP and MetaCLIP 2: a class token, projected into the space shared with text."""

from typing import Any

import torch

from embshift.encoders.checkpoints import CheckpointWeights
from embshift.encoders.towers.family import CLASS_MAP, Inputs, embed_pooled, family
from embshift.encoders.towers.tower import Tower, build_network
from embshift.encoders.towers.vision_config import get_vision_config, read_image_sides, read_patch_sides

__all__ = ["clip_tower", "metaclip2_tower"]


@family(
    name="clip",
    summary="CLIP (2021); also OpenCLIP and MetaCLIP checkpoints in its form",
    embedding="projected class token",
    map_source=CLASS_MAP,
    model_types=("clip", "clip_vision_model"),
    processor="CLIPImageProcessor",
)
def clip_tower(config: Any, weights: CheckpointWeights) -> Tower:
    """Build the image tower of a CLIP checkpoint."""
    from transformers import CLIPVisionModel, CLIPVisionModelWithProjection

    return _make_tower(config, weights, projecting=CLIPVisionModelWithProjection, unprojected=CLIPVisionModel)


@family(
    name="metaclip2",
    summary="MetaCLIP 2 (2025), trained on text of many languages",
    embedding="projected class token",
    map_source=CLASS_MAP,
    model_types=("metaclip_2", "metaclip_2_vision_model"),
    processor="CLIPImageProcessor",
)
def metaclip2_tower(config: Any, weights: CheckpointWeights) -> Tower:
    """Build the image tower of a MetaCLIP 2 checkpoint."""
    from transformers import MetaClip2VisionModel, MetaClip2VisionModelWithProjection

    return _make_tower(
        config, weights, projecting=MetaClip2VisionModelWithProjection, unprojected=MetaClip2VisionModel
    )


def _make_tower(config: Any, weights: CheckpointWeights, *, projecting: Any, unprojected: Any) -> Tower:
    vision = get_vision_config(config)
    if vision is not config:
        # The vision configuration of a full checkpoint states a projection of its own, which nothing uses.
        vision.projection_dim = config.projection_dim
    # A checkpoint of the image tower alone has one model_type, whether it was saved with the projection or
    # not.
    projected = vision is not config or "visual_projection.weight" in weights.tensors
    return Tower(
        network=build_network(projecting if projected else unprojected, config=vision, weights=weights),
        embed=_embed_projected if projected else embed_pooled,
        embedding="projected class token" if projected else "class token after the final norm, not projected",
        dim=vision.projection_dim if projected else vision.hidden_size,
        blocks=vision.num_hidden_layers,
        heads=vision.num_attention_heads,
        patch=read_patch_sides(vision),
        prefix=1,
        sides=read_image_sides(vision),
    )


def _embed_projected(network: Any, inputs: Inputs) -> torch.Tensor:
    return network(**inputs).image_embeds
