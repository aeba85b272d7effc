"""The bundled encoder: a small image and text network that needs no download.

It is a CLIP-style encoder distilled from a supervised ImageNet network. Its shift profile is its own and says
nothing about OpenAI CLIP. The model card is ``data/lite.md``.
"""

from collections.abc import Sequence
from functools import partial
from typing import final

import cv2
import numpy as np
import torch
from jaxtyping import Float32, UInt8

from embshift.core.device_copy import copy_to_device
from embshift.core.encoding import AnyViews, Encoding, to_numpy
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, EncoderSpec, Field, Views
from embshift.encoders import encoder
from embshift.encoders.devices import choose_device, keep_full_precision
from embshift.encoders.lite.blocks import HEADS, LAYERS, run_transformer
from embshift.encoders.lite.text import embed_texts
from embshift.encoders.lite.trunk import STRIDE, Weights, compute_local_vectors, list_convolutions
from embshift.encoders.lite.weight_file import DIGEST, read_weights
from embshift.encoders.speed.half_precision import DTYPES
from embshift.encoders.speed.program import Inputs, Outputs
from embshift.encoders.speed.runtimes import Programs

__all__ = ["SMALLEST_SIDE", "LiteEncoder", "open_lite", "round_side"]

SMALLEST_SIDE = 64
"""Shortest side of the network's input, in pixels: a grid of two by two."""

EMBEDDING = "mean of the last patch tokens, weighted by the last class attention"
MAP_NAME = "attention map"
MAP_SOURCE = "last class attention, mean over heads; pulled to the object in training"

# Mean and deviation with which the published network was trained, for every channel.
_MEAN, _DEVIATION = 127.0, 128.0


@encoder(
    name="lite",
    summary="bundled: CLIP-style encoder distilled from a supervised ImageNet network; no download",
    embedding=EMBEDDING,
    map_source=MAP_SOURCE,
    model_types=(),
)
def open_lite(
    source: str,
    /,
    *,
    device: str,
    allow_pickle: bool,
    precision: str = "float32",
    runtime: str = "torch",
) -> "LiteEncoder":
    """Open the bundled encoder on a device.

    Args:
        source: The name that the user gave.
        device: "auto", or a device as torch spells it.
        allow_pickle: No effect: the weight file cannot run code.
        precision: Number format of the trunk; the transformer after it is computed in float32.
        runtime: "torch", "compiled" or "openvino"; the last rounds the transformer too.

    Raises:
        EncoderError: The device or the runtime cannot be used.
        MissingExtraError: OpenVINO is not installed.
        WeightsError: The weight file is missing or altered.
    """
    del allow_pickle
    place = choose_device(device)
    weights = read_weights(device=place)
    dim = weights["projection"].shape[0]
    spec = _make_spec(source, dim=dim, device=place, precision=precision, runtime=runtime)
    return LiteEncoder(weights=weights, spec=spec)


@final
class LiteEncoder:
    """The bundled encoder, open on a device.

    Args:
        weights: Folded parameters and the projection, float32, on the device that `spec` names.
        spec: How the encoder states itself; the weights are converted to its precision and runtime.

    Raises:
        EncoderError: The runtime cannot be used.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, *, weights: Weights, spec: EncoderSpec) -> None:
        self._weights = weights
        self._spec = spec
        rounded = weights if spec.runtime == "openvino" else _round_trunk(weights, precision=spec.precision)
        self._programs = Programs(
            partial(_run_network, rounded), runtime=spec.runtime, device=spec.device, precision=spec.precision
        )

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Encode one batch of views; the encoder sees the whole image.

        Sides that are multiples of 32 and at least 64 stay as they are; others are resized to the nearest
        such side. A side of 64 pixels or more changes by at most a fifth. The network was trained at 224 by
        224 pixels; compare embeddings of another size only among themselves.

        Args:
            views: Images of one size, at least one, in main memory or on the encoder's device.
            capture: What to return besides the embedding; the encoder supports all of it.

        Returns:
            Raw embeddings of 256 values on the encoder's device, independent of what else is captured. Rows
            of the three blocks lack the attention of the class token to itself. The last attention, which is
            also the map, is over the patches only and sums to 1.

        Raises:
            EncoderError: `views` is not a batch of images.
        """
        height, width = _check_views(views).shape[1:3]
        planes = _to_planes(views, device=self._spec.device)
        with keep_full_precision(self._spec.device):
            embedding, attention, layers, tokens = self._programs.run({"planes": planes}, capture=capture)
        return Encoding(
            embedding=embedding,
            grid=(planes.shape[2] // STRIDE, planes.shape[3] // STRIDE),
            field=Field(0.0, 0.0, float(height), float(width)),
            attention=attention,
            layers=layers,
            tokens=tokens,
        )

    def encode_text(self, texts: Sequence[str], /) -> Float32[torch.Tensor, "texts dim"]:
        """Return the embeddings of texts, in the space of the images' embeddings.

        Args:
            texts: At least one; English, best in the form "a photo of a dog". Tokens beyond the 24th are cut
                off.

        Returns:
            Vectors of 256 values on the encoder's device. Compare them with images by cosine; their length
            means nothing.

        Raises:
            EncoderError: There is no text, or something that is not a text.
        """
        with torch.no_grad():
            return embed_texts(texts, weights=self._weights)


def _round_trunk(weights: Weights, *, precision: str) -> Weights:
    trunk = {f"{name}.{part}" for name in list_convolutions() for part in ("weight", "bias")}
    return {
        name: values.to(DTYPES[precision]) if name in trunk else values for name, values in weights.items()
    }


def _run_network(weights: Weights, inputs: Inputs, /, *, capture: Capture) -> Outputs:
    local = compute_local_vectors(inputs["planes"], weights=weights)
    found = run_transformer(_project(local.flatten(2).transpose(1, 2), weights=weights), weights=weights)
    return (
        found.embedding,
        found.attention[-1] if Capture.ATTENTION in capture else None,
        torch.stack(found.attention, dim=1) if Capture.LAYERS in capture else None,
        torch.stack(found.tokens, dim=1) if Capture.TOKENS in capture else None,
    )


def _project(
    vectors: Float32[torch.Tensor, "views rows 1280"], *, weights: Weights
) -> Float32[torch.Tensor, "views rows dim"]:
    # One product per view. In a single product over all views, the rounding of a row depends on its place in
    # the batch: observed with five and seven views on two threads.
    return torch.bmm(vectors, weights["projection"].T.expand(len(vectors), -1, -1))


def round_side(side: int, /) -> int:
    """Return the multiple of 32 nearest to a side in pixels (the larger one at a tie), at least 64."""
    return max(SMALLEST_SIDE, (side + STRIDE // 2) // STRIDE * STRIDE)


def _check_views(views: AnyViews) -> AnyViews:
    if (
        views.ndim != 4
        or views.shape[3] != 3
        or views.dtype not in (np.uint8, torch.uint8)
        or 0 in views.shape
    ):
        raise EncoderError(
            f"encoder 'lite' got an array of shape {tuple(views.shape)} and type {views.dtype}; "
            "expected (views, height, width, 3), none of them 0, and uint8; stack RGB images of one size"
        )
    return views


def _to_planes(views: AnyViews, *, device: str) -> Float32[torch.Tensor, "views 3 _ _"]:
    sides = round_side(views.shape[1]), round_side(views.shape[2])
    stays = isinstance(views, torch.Tensor) and sides == tuple(views.shape[1:3])
    given = views if stays else _resize(to_numpy(views))
    # Channels stay last in memory: the network is twice as fast on the CPU that way.
    pixels = copy_to_device(torch.as_tensor(given), device=device).permute(0, 3, 1, 2)
    return pixels.to(torch.float32).sub_(_MEAN).div_(_DEVIATION)


def _resize(views: Views) -> UInt8[np.ndarray, "views _ _ 3"]:
    sides = round_side(views.shape[1]), round_side(views.shape[2])
    if sides == views.shape[1:3]:
        # Torch warns about an array that it could not write to.
        return np.require(views, requirements=["C_CONTIGUOUS", "WRITEABLE"])
    size = sides[::-1]  # OpenCV says width first.
    return np.stack([cv2.resize(view, size, interpolation=cv2.INTER_LINEAR) for view in views])


def _make_spec(source: str, *, dim: int, device: str, precision: str, runtime: str) -> EncoderSpec:
    return EncoderSpec(
        name=source,
        family="lite",
        dim=dim,
        embedding=EMBEDDING,
        map_name=MAP_NAME,
        map_source=MAP_SOURCE,
        layers=LAYERS,
        heads=HEADS,
        digest=DIGEST,
        preprocessing={
            "resize": f"each side to the nearest multiple of {STRIDE} pixels, at least {SMALLEST_SIDE}",
            "interpolation": "linear",
            "crop": None,
            "mean": [_MEAN] * 3,
            "deviation": [_DEVIATION] * 3,
            "scale": "0-255",
            "backend": "opencv",
        },
        precision=precision,
        device=device,
        runtime=runtime,
    )
