"""Families of checkpoints with a text tower, and how each of them reads a text."""

import importlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from embshift.core.errors import NoTextSideError, WeightsError
from embshift.encoders.checkpoints import CheckpointWeights, open_weights
from embshift.encoders.towers.tower import build_network

__all__ = ["FAMILIES", "TextFamily", "TextTower", "build_text_tower", "find_family", "open_text_weights"]

_TEXT_SIDE = re.compile(r"(^|\.)(text_model\.|text_projection\.|logit_scale$|logit_bias$)")
"""Names of the tensors of a text side, with or without prefixes of training wrappers."""

_PREFIX = "text_model."


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFamily:
    """How a family of checkpoints embeds a text.

    Attributes:
        name: Name of the family, as in `EncoderSpec.family`.
        network: The library's class of the text tower.
        projected: Whether ``text_projection`` follows the tower; else the tower ends in a head of its own.
        padded: Whether the tower reads a text padded to the full context, as it was trained; else its
            attention is causal, and padding after the text changes nothing.
    """

    name: str
    network: str
    projected: bool = True
    padded: bool = False


FAMILIES: Mapping[str, TextFamily] = {
    "clip": TextFamily(name="clip", network="CLIPTextModel"),
    "metaclip_2": TextFamily(name="metaclip2", network="MetaClip2TextModel"),
    "siglip": TextFamily(name="siglip", network="SiglipTextModel", projected=False, padded=True),
    "siglip2": TextFamily(name="siglip2", network="Siglip2TextModel", projected=False, padded=True),
}
"""By the ``model_type`` of a checkpoint's ``config.json``."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextTower:
    """A text tower with its weights.

    Attributes:
        network: The tower, in eval mode, in float32.
        projection: Matrix after the tower, (dim, width); None if the tower ends in a head of its own.
        dim: Length of a vector.
        scale: Factor of the cosine in the checkpoint's logits: exp(logit_scale).
        bias: Number added to these logits; None if the family has none.
    """

    network: torch.nn.Module
    projection: torch.Tensor | None
    dim: int
    scale: float
    bias: float | None


def find_family(model_type: str, /, *, source: str) -> TextFamily:
    """Return the family of a ``model_type``.

    Raises:
        NoTextSideError: Checkpoints of this type have no text tower.
    """
    if model_type in FAMILIES:
        return FAMILIES[model_type]
    raise NoTextSideError(
        f"encoder '{source}' ({model_type}) has no text side that embshift reads, so it cannot embed words; "
        f"use a checkpoint of CLIP, MetaCLIP 2, SigLIP or SigLIP 2 with both towers (model_type "
        f"{', '.join(FAMILIES)}), 'lite', or text vectors of your own"
    )


def open_text_weights(folder: Path, *, source: str, allow_pickle: bool) -> CheckpointWeights:
    """Read the weights of the text side alone; the digest is that of the whole files.

    Raises:
        NoTextSideError: The files hold none.
        WeightsError: As in `open_weights`.
    """
    weights = open_weights(folder, allow_pickle=allow_pickle, wanted=_is_of_text_side)
    if not any(name.startswith(_PREFIX) for name in weights.tensors):
        raise NoTextSideError(
            f"the weights of '{source}' hold no text tower (no tensor named {_PREFIX}…), though its "
            "config.json states one; use the whole checkpoint, with both towers"
        )
    return weights


def _is_of_text_side(name: str) -> bool:
    return _TEXT_SIDE.search(name) is not None


def build_text_tower(family: TextFamily, config: Any, weights: CheckpointWeights) -> TextTower:
    """Build a text tower from the library's configuration and a checkpoint's weights.

    Raises:
        WeightsError: A weight is missing, not finite, or does not have the shape that the configuration
            states.
    """
    tower = {
        name.removeprefix(_PREFIX): tensor
        for name, tensor in weights.tensors.items()
        if name.startswith(_PREFIX)
    }
    transformers: Any = importlib.import_module("transformers")
    network: Any = build_network(
        getattr(transformers, family.network),
        config=config.text_config,
        weights=CheckpointWeights(tensors=tower, digest=weights.digest),
        attention="sdpa",
    )
    width = int(config.text_config.hidden_size)
    projection = _get_projection(weights, width=width) if family.projected else None
    return TextTower(
        network=network,
        projection=projection,
        dim=int(network.head.out_features) if projection is None else len(projection),
        scale=math.exp(_get_number(weights, "logit_scale")),
        bias=None if family.projected else _get_number(weights, "logit_bias"),
    )


def _get_projection(weights: CheckpointWeights, *, width: int) -> torch.Tensor:
    name = "text_projection.weight"
    projection = weights.tensors.get(name)
    if projection is None:
        raise WeightsError(f"the checkpoint lacks {name}; use one that was saved with both projections")
    if projection.ndim != 2 or projection.shape[1] != width or not bool(projection.isfinite().all()):
        raise WeightsError(
            f"{name} is {tuple(projection.shape)}; expected finite values, (dim, {width}) as config.json "
            "states; download the checkpoint again"
        )
    return projection.to(torch.float32)


def _get_number(weights: CheckpointWeights, name: str) -> float:
    tensor = weights.tensors.get(name)
    if tensor is None or tensor.numel() != 1 or not math.isfinite(value := float(tensor)):
        raise WeightsError(f"the checkpoint has no finite {name}; use one that was saved with both towers")
    return value
