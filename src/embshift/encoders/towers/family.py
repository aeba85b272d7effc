"""Registration of a family of checkpoints that opens through the transformers library."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from embshift.core.encoding import Encoder
from embshift.core.types import EncoderSpec
from embshift.encoders import encoder
from embshift.encoders.checkpoints import Weights, config_of, open_weights
from embshift.encoders.devices import choose_device
from embshift.encoders.hub import resolve
from embshift.encoders.towers.preprocessing import open_preprocessing
from embshift.encoders.towers.tower import Tower, read_config
from embshift.encoders.towers.vision import VisionEncoder

__all__ = ["CLASS_MAP", "POOLING_MAP", "Build", "Inputs", "class_token", "family", "pooled", "vision_part"]

Build = Callable[[Any, Weights], Tower]
"""What builds a tower from the library's configuration and a checkpoint's weights."""

Inputs = Mapping[str, torch.Tensor]

CLASS_MAP = "last block, class token to patches"
POOLING_MAP = "pooling head, its probe to patches"


def family(
    *, name: str, summary: str, embedding: str, map_source: str, model_types: tuple[str, ...], processor: str
) -> Callable[[Build], Build]:
    """Register what builds a family's towers.

    Args:
        name: Name of the family.
        summary: One line: what it is.
        embedding: What its embedding is.
        map_source: What its map is taken from.
        model_types: Values of ``model_type`` in ``config.json`` that it opens.
        processor: Image processor of a folder that does not name one.
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
            folder = Path(source) if Path(source).is_dir() else resolve(source, allow_pickle=allow_pickle)
            config = read_config(config_of(folder))
            preprocessing = open_preprocessing(folder, default=processor)
            chosen = choose_device(device)
            weights = open_weights(folder, allow_pickle=allow_pickle)
            tower = build(config, weights)
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

        del opener  # it lives in the registry
        return build

    return register


def vision_part(config: Any) -> Any:
    """The configuration of the half that sees."""
    return getattr(config, "vision_config", config)


def pooled(network: Any, inputs: Inputs) -> torch.Tensor:
    """The library's pooled output."""
    return network(**inputs).pooler_output


def class_token(network: Any, inputs: Inputs) -> torch.Tensor:
    """The class token after the final norm."""
    return network(**inputs).last_hidden_state[:, 0]
