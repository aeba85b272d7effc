"""Small checkpoints with random weights, one for each kind that the transformers library opens.

`make_checkpoint(family, folder)` writes one and returns the folder; nothing here needs pytest.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers.utils import logging

__all__ = ["FAMILIES", "Kind", "make_checkpoint", "reference_network"]

VISION = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
SQUARE = {k: v for k, v in VISION.items() if k != "intermediate_size"}
TEXT = {**VISION, "num_hidden_layers": 2, "vocab_size": 64, "projection_dim": 24}
TEXT |= {"max_position_embeddings": 12, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
TEXT = {k: v for k, v in TEXT.items() if k not in ("image_size", "patch_size")}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Recipe for a small checkpoint of one kind.

    `prefix` counts the tokens before the patches; `name` is the registered family.
    """

    name: str
    network: Callable[[], torch.nn.Module]
    processor: str
    prefix: int
    options: Mapping[str, Any]


def _whole(kind: str, **more: Any) -> Callable[[], torch.nn.Module]:
    # The vision configuration states a projection that is not used, as in published checkpoints.
    vision = {**VISION, "projection_dim": 16, **more.pop("vision", {})}

    def build() -> torch.nn.Module:
        config = getattr(transformers, f"{kind}Config")
        stated = {"text_config": dict(TEXT), "vision_config": dict(vision), **more}
        return getattr(transformers, f"{kind}Model")(config(**stated))

    return build


def _half(network: str, config: str, **more: Any) -> Callable[[], torch.nn.Module]:
    return lambda: getattr(transformers, network)(getattr(transformers, config)(**more))


CROPPED = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
EXACT = {"size": {"height": 32, "width": 32}}

FAMILIES: dict[str, Kind] = {
    "clip": Kind(
        name="clip",
        network=_whole("CLIP", projection_dim=24),
        processor="CLIPImageProcessorPil",
        prefix=1,
        options=CROPPED,
    ),
    "clip-vision-projected": Kind(
        name="clip",
        network=_half("CLIPVisionModelWithProjection", "CLIPVisionConfig", **VISION, projection_dim=24),
        processor="CLIPImageProcessorPil",
        prefix=1,
        options=CROPPED,
    ),
    "clip-vision": Kind(
        name="clip",
        network=_half("CLIPVisionModel", "CLIPVisionConfig", **VISION),
        processor="CLIPImageProcessorPil",
        prefix=1,
        options=CROPPED,
    ),
    "metaclip2": Kind(
        name="metaclip2",
        network=_whole("MetaClip2", projection_dim=24),
        processor="CLIPImageProcessorPil",
        prefix=1,
        options=CROPPED,
    ),
    "siglip": Kind(
        name="siglip", network=_whole("Siglip"), processor="SiglipImageProcessorPil", prefix=0, options=EXACT
    ),
    "siglip-vision": Kind(
        name="siglip",
        network=_half("SiglipVisionModel", "SiglipVisionConfig", **VISION),
        processor="SiglipImageProcessorPil",
        prefix=0,
        options=EXACT,
    ),
    "siglip2": Kind(
        name="siglip2",
        network=_whole("Siglip2", vision={"num_patches": 16}),
        processor="Siglip2ImageProcessorPil",
        prefix=0,
        options={"patch_size": 8, "max_num_patches": 16},
    ),
    "dinov2": Kind(
        name="dinov2",
        network=_half("Dinov2Model", "Dinov2Config", **SQUARE),
        processor="BitImageProcessorPil",
        prefix=1,
        options={"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}},
    ),
    "dinov2-registers": Kind(
        name="dinov2-registers",
        network=_half(
            "Dinov2WithRegistersModel", "Dinov2WithRegistersConfig", **SQUARE, num_register_tokens=3
        ),
        processor="BitImageProcessorPil",
        prefix=4,
        options=CROPPED,
    ),
    "dinov3": Kind(
        name="dinov3",
        network=_half("DINOv3ViTModel", "DINOv3ViTConfig", **VISION, num_register_tokens=2),
        processor="DINOv3ViTImageProcessorFast",
        prefix=3,
        options=EXACT,
    ),
    "aimv2": Kind(
        name="aimv2",
        network=_whole("Aimv2", projection_dim=24, vision={"use_head": True}),
        processor="CLIPImageProcessorPil",
        prefix=0,
        options=CROPPED,
    ),
    "aimv2-head": Kind(
        name="aimv2",
        network=_half("Aimv2VisionModel", "Aimv2VisionConfig", **VISION, use_head=True),
        processor="CLIPImageProcessorPil",
        prefix=0,
        options=CROPPED,
    ),
    "aimv2-headless": Kind(
        name="aimv2",
        network=_half("Aimv2VisionModel", "Aimv2VisionConfig", **VISION, use_head=False, is_native=True),
        processor="CLIPImageProcessorPil",
        prefix=0,
        options=CROPPED,
    ),
    "vit": Kind(
        name="vit",
        network=_half("ViTModel", "ViTConfig", **VISION),
        processor="ViTImageProcessorPil",
        prefix=1,
        options=EXACT,
    ),
}


def make_checkpoint(family: str, folder: Path, *, seed: int = 0, **saving: Any) -> Path:
    """Write a small checkpoint of one kind of `FAMILIES` to a new folder, and return the folder.

    Its attention is far from uniform, and no two views have the same embedding. `saving` goes to
    `save_pretrained`, e.g. max_shard_size="20KB".
    """
    kind = FAMILIES[family]
    folder.mkdir(parents=True, exist_ok=True)
    _quietly(lambda: _make_network(kind, seed=seed).save_pretrained(folder, **saving))
    if kind.processor.startswith("DINOv3"):
        # Its class needs torchvision; this is the file of the published checkpoints.
        stated = {"image_processor_type": kind.processor, "resample": 2, **kind.options}
        (folder / "preprocessor_config.json").write_text(json.dumps(stated), encoding="utf-8")
    else:
        _quietly(lambda: getattr(transformers, kind.processor)(**kind.options).save_pretrained(folder))
    return folder


def reference_network(family: str, *, seed: int = 0) -> torch.nn.Module:
    """Return the network whose weights `make_checkpoint` writes, with attention computed step by step."""
    network: Any = _quietly(lambda: _make_network(FAMILIES[family], seed=seed))
    network.set_attn_implementation("eager")
    return network.eval()


def _make_network(kind: Kind, *, seed: int) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = kind.network()
        for name, values in network.named_parameters():
            # New weights are so small that every token attends uniformly to all; norms stay unchanged.
            if values.ndim > 1:
                fan = values[0].numel()
                spread = 0.5 if "embed" in name or "token" in name or "probe" in name else 1.5 / fan**0.5
                values.normal_(0.0, spread)
            elif name.endswith("bias"):
                values.normal_(0.0, 0.1)
    return network


def _quietly(make: Callable[[], Any]) -> Any:
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        return make()
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
