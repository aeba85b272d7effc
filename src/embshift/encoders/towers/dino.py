"""Encoders trained without text: DINOv2, with and without registers, DINOv3, and ViT."""

from typing import Any

from embshift.encoders.checkpoints import CheckpointWeights
from embshift.encoders.towers.family import CLASS_MAP, embed_class_token, family
from embshift.encoders.towers.tower import Tower, build_network
from embshift.encoders.towers.vision_config import read_image_sides, read_patch_sides

__all__ = ["dinov2_registers_tower", "dinov2_tower", "dinov3_tower", "vit_tower"]

EMBEDDING = "class token after the final norm"


@family(
    name="dinov2",
    summary="DINOv2 (2023), self-supervised",
    embedding=EMBEDDING,
    map_source=CLASS_MAP,
    model_types=("dinov2",),
    processor="BitImageProcessor",
)
def dinov2_tower(config: Any, weights: CheckpointWeights) -> Tower:
    """Build a DINOv2 tower; the library interpolates its positions to the size of the input."""
    from transformers import Dinov2Model

    return _make_tower(config, build_network(Dinov2Model, config=config, weights=weights))


@family(
    name="dinov2-registers",
    summary="DINOv2 with registers (2024), whose maps have no outlier patches",
    embedding=EMBEDDING,
    map_source=CLASS_MAP,
    model_types=("dinov2_with_registers",),
    processor="BitImageProcessor",
)
def dinov2_registers_tower(config: Any, weights: CheckpointWeights) -> Tower:
    """Build a DINOv2 tower with registers."""
    from transformers import Dinov2WithRegistersModel

    network = build_network(Dinov2WithRegistersModel, config=config, weights=weights)
    return _make_tower(config, network, registers=config.num_register_tokens)


@family(
    name="dinov3",
    summary="DINOv3 (2025), self-supervised, with registers",
    embedding=EMBEDDING,
    map_source=CLASS_MAP,
    model_types=("dinov3_vit",),
    processor="DINOv3ViTImageProcessor",
)
def dinov3_tower(config: Any, weights: CheckpointWeights) -> Tower:
    """Build a DINOv3 tower; its positions are rotary and follow the size of the input."""
    from transformers import DINOv3ViTModel

    network = build_network(DINOv3ViTModel, config=config, weights=weights)
    return _make_tower(config, network, registers=config.num_register_tokens)


@family(
    name="vit",
    summary="Vision Transformer (2020), trained on labels; also DINO (2021)",
    embedding=EMBEDDING,
    map_source=CLASS_MAP,
    model_types=("vit",),
    processor="ViTImageProcessor",
)
def vit_tower(config: Any, weights: CheckpointWeights) -> Tower:
    """Build a ViT tower without the pooler, which was trained for another task or not at all."""
    from transformers import ViTModel

    network = build_network(ViTModel, config=config, weights=weights, add_pooling_layer=False)
    return _make_tower(config, network, sides=read_image_sides(config))


def _make_tower(
    config: Any, network: Any, *, registers: int = 0, sides: tuple[int, int] | None = None
) -> Tower:
    return Tower(
        network=network,
        embed=embed_class_token,
        embedding=EMBEDDING,
        dim=config.hidden_size,
        blocks=config.num_hidden_layers,
        heads=config.num_attention_heads,
        patch=read_patch_sides(config),
        prefix=1 + registers,
        sides=sides,
    )
