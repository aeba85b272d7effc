"""Registration of families of checkpoints that the transformers library can open."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from embshift.core.encoding import Encoder
from embshift.core.types import EncoderSpec
from embshift.encoders import encoder
from embshift.encoders.checkpoints import CheckpointWeights, open_weights, read_config
from embshift.encoders.devices import choose_device
from embshift.encoders.hub import resolve_hub_name
from embshift.encoders.towers.preprocessing import open_preprocessing
from embshift.encoders.towers.processor_settings import check_patches
from embshift.encoders.towers.tower import Tower, build_config
from embshift.encoders.towers.vision import VisionEncoder
from embshift.encoders.towers.vision_config import check_vision_config, get_vision_config

__all__ = [
    "CLASS_MAP",
    "POOLING_MAP",
    "Build",
    "Inputs",
    "embed_class_token",
    "embed_pooled",
    "family",
]

Build = Callable[[Any, CheckpointWeights], Tower]
"""A function that builds a tower from the library's configuration and a checkpoint's weights."""

Inputs = Mapping[str, torch.Tensor]

CLASS_MAP = "last block, class token to patches"
POOLING_MAP = "pooling head, its probe to patches"


def family(
    *, name: str, summary: str, embedding: str, map_source: str, model_types: tuple[str, ...], processor: str
) -> Callable[[Build], Build]:
    """Register the function that builds a family's towers.

    Args:
        name: Name of the family.
        summary: One line: what it is.
        embedding: What its embedding is.
        map_source: What its map is taken from.
        model_types: Values of ``model_type`` in ``config.json`` that it opens.
        processor: Image processor for folders that do not name one.
    """

    def register(build: Build) -> Build:
        @encoder(
            name=name, summary=summary, embedding=embedding, map_source=map_source, model_types=model_types
        )
        def opener(
            source: str,
            /,
            *,
            device: str,
            allow_pickle: bool,
            precision: str = "float32",
            runtime: str = "torch",
        ) -> Encoder:
            folder = Path(source)
            if not folder.is_dir():
                folder = resolve_hub_name(source, allow_pickle=allow_pickle)
            config = build_config(read_config(folder))
            check_vision_config(get_vision_config(config))
            preprocessing = open_preprocessing(folder, default=processor)
            chosen = choose_device(device)
            weights = open_weights(folder, allow_pickle=allow_pickle)
            tower = build(config, weights)
            if preprocessing.frame is None:
                check_patches(preprocessing.settings, patch=tower.patch)
            spec = EncoderSpec(
                name=source,
                family=name,
                dim=tower.dim,
                embedding=tower.embedding,
                map_name=tower.map_name,
                map_source=tower.map_source,
                layers=tower.blocks if tower.prefix else 0,
                heads=tower.heads,
                digest=weights.digest,
                preprocessing=preprocessing.settings,
                precision=precision,
                device=chosen,
                runtime=runtime,
                config=hashlib.sha256((folder / "config.json").read_bytes()).hexdigest(),
            )
            return VisionEncoder(spec=spec, tower=tower, preprocessing=preprocessing)

        del opener  # the registry holds it
        return build

    return register


def embed_pooled(network: Any, inputs: Inputs) -> torch.Tensor:
    """Return the library's pooled output."""
    return network(**inputs).pooler_output


def embed_class_token(network: Any, inputs: Inputs) -> torch.Tensor:
    """Return the class token after the final norm."""
    return network(**inputs).last_hidden_state[:, 0]
