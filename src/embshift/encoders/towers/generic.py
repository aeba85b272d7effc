"""Any other image model of the transformers library: its embedding, and no map."""

import hashlib
import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float32

from embshift.core.encoding import AnyViews, Encoding
from embshift.core.errors import EncoderError, WeightsError
from embshift.core.types import Capture, EncoderSpec
from embshift.encoders import ANY_MODEL, encoder
from embshift.encoders.checkpoints import CheckpointWeights, open_weights, read_config
from embshift.encoders.devices import choose_device, keep_full_precision
from embshift.encoders.hub import resolve_hub_name
from embshift.encoders.plain import check_plain, encode_without_map
from embshift.encoders.towers.any_preprocessing import open_any_preprocessing
from embshift.encoders.towers.preprocessing import Preprocessing
from embshift.encoders.towers.tower import build_config, build_network
from embshift.encoders.towers.vision import pad_batch

__all__ = ["GenericEncoder", "open_generic"]

_TOWER = "vision_model."
"""What the names of an image tower's weights start with in a model of images and texts."""


_IMAGE = torch.arange(224 * 224 * 3).reshape(1, 224, 224, 3).remainder(251).to(torch.uint8)
"""An image that is tried first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Network:
    """A network, and the name of its method that embeds images; empty where it is called itself."""

    module: torch.nn.Module
    method: str = ""

    def call(self, inputs: Mapping[str, torch.Tensor]) -> Any:
        return getattr(self.module, self.method)(**inputs) if self.method else self.module(**inputs)


@encoder(
    name="transformers",
    summary="any other image model of transformers, e.g. I-JEPA, Data2Vec, BLIP, ConvNeXt, Swin, ResNet",
    embedding="image features, or the pooled output, or the mean over all places of the last layer",
    map_source="none",
    model_types=(ANY_MODEL,),
)
def open_generic(
    source: str,
    /,
    *,
    device: str,
    allow_pickle: bool,
    precision: str = "float32",
    runtime: str = "torch",
) -> "GenericEncoder":
    """Open an image model that no family knows, by the class that the library has for its ``model_type``.

    Args:
        source: A checkpoint's folder, or a hub name.
        device: "auto", or a device as torch spells it.
        allow_pickle: Whether weights may be read from a pickle that is not pinned.
        precision: "float32"; others were not tried with every model.
        runtime: "torch", for the same reason.

    Raises:
        EncoderError: The library has no such image model, or something else is asked for.
        WeightsError: Weights are missing.
    """
    check_plain(source, precision=precision, runtime=runtime)
    folder = Path(source)
    if not folder.is_dir():
        folder = resolve_hub_name(source, allow_pickle=allow_pickle)
    stated = read_config(folder)
    config = build_config(stated)
    if hasattr(config, "mask_ratio"):
        config.mask_ratio = 0.0  # of masked autoencoders: an embedding is that of the whole image
    preprocessing = open_any_preprocessing(folder, model_type=stated["model_type"])
    weights = open_weights(folder, allow_pickle=allow_pickle)
    network = _build(config, weights, model_type=stated["model_type"])
    spec = EncoderSpec(
        name=source,
        family="transformers",
        dim=0,
        embedding="",
        map_name="",
        map_source="",
        layers=0,
        heads=0,
        digest=weights.digest,
        preprocessing=preprocessing.settings,
        precision=precision,
        device=choose_device(device),
        runtime=runtime,
        config=hashlib.sha256((folder / "config.json").read_bytes()).hexdigest(),
    )
    return GenericEncoder(network, spec=spec, preprocessing=preprocessing)


def _build(config: Any, weights: CheckpointWeights, *, model_type: str) -> _Network:
    kind = _find_class(config, model_type=model_type)
    vision = getattr(config, "vision_config", None)
    if hasattr(kind, "get_image_features") and getattr(config, "projection_dim", None):
        try:
            return _Network(
                module=build_network(kind, config=config, weights=weights, attention="eager"),
                method="get_image_features",
            )
        except WeightsError:
            if vision is None:
                raise
    if vision is None:
        return _Network(module=_build_one(kind, config=config, weights=weights))
    tower = {
        name.removeprefix(_TOWER): values
        for name, values in weights.tensors.items()
        if name.startswith(_TOWER)
    }
    found = _find_class(vision, model_type=str(vision.model_type))
    return _Network(module=_build_one(found, config=vision, weights=replace(weights, tensors=tower)))


def _find_class(config: Any, *, model_type: str) -> Any:
    transformers: Any = importlib.import_module("transformers")
    named = (
        type(config).__name__.removesuffix("Config") + "Model"
    )  # e.g. BLIP's tower, which has no other entry
    try:
        return transformers.AutoModel._model_mapping[type(config)]
    except KeyError:
        found = getattr(transformers, named, None)
    if found is None:
        raise EncoderError(f"transformers has no model for '{model_type}' that embeds images")
    return found


def _build_one(kind: Any, *, config: Any, weights: CheckpointWeights) -> torch.nn.Module:
    try:
        return build_network(kind, config=config, weights=weights, attention="eager")
    except WeightsError:
        if "add_pooling_layer" not in inspect.signature(kind.__init__).parameters:
            raise
    # A checkpoint without the pooler's weights was trained without it.
    return build_network(kind, config=config, weights=weights, attention="eager", add_pooling_layer=False)


@final
class GenericEncoder:
    """An image model of transformers whose inside is not known.

    Args:
        network: The model, and how it is called.
        spec: How it states itself; length and kind of the embedding are filled in.
        preprocessing: The conversion of views into its inputs.

    Raises:
        EncoderError: If it gives nothing that is an embedding.
    """

    def __init__(self, network: _Network, *, spec: EncoderSpec, preprocessing: Preprocessing) -> None:
        network.module.to(spec.device)
        self._network, self._spec, self._preprocessing = network, spec, preprocessing
        first, kind = self._embed(_IMAGE)
        again, _ = self._embed(_IMAGE)
        if not torch.allclose(first, again, rtol=1e-4, atol=1e-4 * float(first.abs().max())):
            raise EncoderError(f"encoder '{spec.name}' gives another embedding each time for the same image")
        self._spec = replace(spec, dim=first.shape[1], embedding=kind)

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Encode one batch of views of one size.

        Args:
            views: Images, 0-255; the encoder resizes and crops them as its preprocessing states.
            capture: No effect: there is nothing but the embedding.

        Raises:
            EncoderError: If the model cannot take images of this size.
        """
        del capture
        embedding, _ = self._embed(views)
        return encode_without_map(embedding, views)

    def _embed(self, views: AnyViews) -> tuple[Float32[torch.Tensor, "views dim"], str]:
        inputs = self._preprocessing.prepare(views)
        placed = {name: pad_batch(values).to(self._spec.device) for name, values in inputs.items()}
        try:
            with torch.inference_mode(), keep_full_precision(self._spec.device):
                output = self._network.call(placed)
        except (RuntimeError, ValueError, TypeError) as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise EncoderError(
                f"encoder '{self._spec.name}' cannot encode images of {views.shape[1]} by {views.shape[2]}"
                f" pixels: {' '.join(str(error).split())[:300]}"
            ) from error
        found, kind = _read_output(output, self._network.method)
        if found.ndim != 2:
            raise EncoderError(
                f"encoder '{self._spec.name}' gives {tuple(found.shape)}, which is no embedding"
            )
        return found[: len(views)].clone().float(), kind


def _read_output(output: Any, method: str) -> tuple[torch.Tensor, str]:
    """Return the embedding in what a model returned, and what it is."""
    if isinstance(output, torch.Tensor):
        return output, "image features, projected" if method else "output"
    pooled = getattr(output, "pooler_output", None)
    if isinstance(pooled, torch.Tensor):
        return pooled.flatten(start_dim=1), "image features, projected" if method else "pooled output"
    last: torch.Tensor = output.last_hidden_state
    if last.ndim == 4:
        return last.mean(dim=(2, 3)), "mean over all places of the last layer"
    return last.mean(dim=1), "mean over all tokens of the last layer"
