"""CLIP and MetaCLIP 2: a class token, projected into the space shared with text."""

from typing import Any

import torch

from embshift.encoders.checkpoints import Weights
from embshift.encoders.towers.family import CLASS_MAP, Inputs, family, pooled, vision_part
from embshift.encoders.towers.tower import Tower, build_network, image_sides

__all__ = ["clip_tower", "metaclip2_tower"]


@family(
    name="clip",
    summary="CLIP (2021); also OpenCLIP and MetaCLIP checkpoints in its form",
    embedding="projected class token",
    map_source=CLASS_MAP,
    model_types=("clip", "clip_vision_model"),
    processor="CLIPImageProcessor",
)
def clip_tower(config: Any, weights: Weights) -> Tower:
    """The seeing half of a CLIP checkpoint."""
    from transformers import CLIPVisionModel, CLIPVisionModelWithProjection

    return _tower(config, weights, projecting=CLIPVisionModelWithProjection, plain=CLIPVisionModel)


@family(
    name="metaclip2",
    summary="MetaCLIP 2 (2025), trained on text of many languages",
    embedding="projected class token",
    map_source=CLASS_MAP,
    model_types=("metaclip_2", "metaclip_2_vision_model"),
    processor="CLIPImageProcessor",
)
def metaclip2_tower(config: Any, weights: Weights) -> Tower:
    """The seeing half of a MetaCLIP 2 checkpoint."""
    from transformers import MetaClip2VisionModel, MetaClip2VisionModelWithProjection

    return _tower(config, weights, projecting=MetaClip2VisionModelWithProjection, plain=MetaClip2VisionModel)


def _tower(config: Any, weights: Weights, *, projecting: Any, plain: Any) -> Tower:
    vision = vision_part(config)
    if vision is not config:
        # The seeing half of a whole checkpoint states a projection of its own, which nothing uses.
        vision.projection_dim = config.projection_dim
    # A checkpoint of the seeing half alone is saved with the projection or without it, under one model_type.
    projected = vision is not config or "visual_projection.weight" in weights.tensors
    return Tower(
        network=build_network(projecting if projected else plain, config=vision, weights=weights),
        embed=_projected if projected else pooled,
        embedding="projected class token" if projected else "class token after the final norm, not projected",
        dim=vision.projection_dim if projected else vision.hidden_size,
        blocks=vision.num_hidden_layers,
        heads=vision.num_attention_heads,
        patch=vision.patch_size,
        prefix=1,
        sides=image_sides(vision),
    )


def _projected(network: Any, inputs: Inputs) -> torch.Tensor:
    return network(**inputs).image_embeds
