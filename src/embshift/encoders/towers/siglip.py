"""SigLIP and SigLIP 2: without a class token; a learned probe pools the patches."""

from typing import Any

from embshift.core.errors import EncoderError
from embshift.encoders.checkpoints import CheckpointWeights
from embshift.encoders.maps.pooling import find_siglip_head
from embshift.encoders.towers.family import POOLING_MAP, embed_pooled, family
from embshift.encoders.towers.tower import Tower, build_network
from embshift.encoders.towers.vision_config import get_vision_config, read_image_sides, read_patch_sides

__all__ = ["siglip2_tower", "siglip_tower"]


@family(
    name="siglip",
    summary="SigLIP (2023), and SigLIP 2 checkpoints of a fixed resolution",
    embedding="output of the pooling head",
    map_source=POOLING_MAP,
    model_types=("siglip", "siglip_vision_model"),
    processor="SiglipImageProcessor",
)
def siglip_tower(config: Any, weights: CheckpointWeights) -> Tower:
    """Build the image tower of a SigLIP checkpoint."""
    from transformers import SiglipVisionModel

    vision = get_vision_config(config)
    return _make_tower(vision, weights, network=SiglipVisionModel, sides=read_image_sides(vision))


@family(
    name="siglip2",
    summary="SigLIP 2 NaFlex (2025): any aspect ratio, up to a number of patches",
    embedding="output of the pooling head",
    map_source=POOLING_MAP,
    model_types=("siglip2", "siglip2_vision_model"),
    processor="Siglip2ImageProcessor",
)
def siglip2_tower(config: Any, weights: CheckpointWeights) -> Tower:
    """Build the image tower of a SigLIP 2 NaFlex checkpoint."""
    from transformers import Siglip2VisionModel

    return _make_tower(get_vision_config(config), weights, network=Siglip2VisionModel, sides=None)


def _make_tower(
    vision: Any, weights: CheckpointWeights, *, network: Any, sides: tuple[int, int] | None
) -> Tower:
    if not getattr(vision, "vision_use_head", True):
        raise EncoderError(
            "the checkpoint has no pooling head (vision_use_head is false); use one that has it"
        )
    built = build_network(network, config=vision, weights=weights)
    return Tower(
        network=built,
        embed=embed_pooled,
        embedding="output of the pooling head",
        dim=vision.hidden_size,
        blocks=vision.num_hidden_layers,
        heads=vision.num_attention_heads,
        patch=read_patch_sides(vision),
        sides=sides,
        pooling=find_siglip_head(built),
    )
