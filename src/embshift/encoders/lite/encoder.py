"""The bundled encoder: a small image and text network, which needs no download.

A CLIP-style encoder distilled from a supervised ImageNet network; its shift profile is its own and says
nothing about OpenAI CLIP. The model card is ``weights/lite.md``.
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
from embshift.encoders.devices import choose_device, full_precision
from embshift.encoders.lite.blocks import HEADS, LAYERS, look
from embshift.encoders.lite.load_weights import DIGEST, read_weights
from embshift.encoders.lite.text import text_vectors
from embshift.encoders.lite.trunk import STRIDE, Weights, convolutions, local_vectors
from embshift.encoders.speed.half_precision import DTYPES
from embshift.encoders.speed.program import Inputs, Outputs
from embshift.encoders.speed.runtimes import Programs

__all__ = ["SMALLEST", "LiteEncoder", "open_lite", "workable_side"]

SMALLEST = 64
"""Least side that goes into the network, in pixels: a grid of two by two."""

EMBEDDING = "mean of the last patch tokens, weighted by the last class attention"
MAP_NAME = "attention map"
MAP_SOURCE = "last class attention, mean over heads; pulled to the object in training"

# What the published network was trained with, on every channel.
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
    """The bundled encoder, on a device.

    Args:
        source: The name that it was asked for by.
        device: "auto" or as torch spells it.
        allow_pickle: Without effect: the weight file cannot run code.
        precision: Number format of the trunk; the transformer behind it is computed in float32.
        runtime: "torch", "compiled" or "openvino", which rounds the transformer too.

    Raises:
        EncoderError: The device or the runtime cannot be used.
        MissingExtraError: OpenVINO is not installed.
        WeightsError: The weight file is missing or altered.
    """
    del allow_pickle
    place = choose_device(device)
    weights = read_weights(device=place)
    dim = weights["projection"].shape[0]
    spec = _spec(source, dim=dim, device=place, precision=precision, runtime=runtime)
    return LiteEncoder(weights=weights, spec=spec)


@final
class LiteEncoder:
    """Weights held open on a device.

    Args:
        weights: Folded parameters and the projection, float32, on the device that `spec` names.
        spec: How the encoder states itself; its precision and runtime are what the weights are brought to.

    Raises:
        EncoderError: The runtime cannot be used.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, *, weights: Weights, spec: EncoderSpec) -> None:
        self._weights = weights
        self._spec = spec
        rounded = weights if spec.runtime == "openvino" else _rounded(weights, precision=spec.precision)
        self._programs = Programs(
            partial(_look, rounded), runtime=spec.runtime, device=spec.device, precision=spec.precision
        )

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Encode one batch; the whole image is seen.

        Sides that are multiples of 32 and at least 64 go in as they are, others are resized to the nearest
        such side; a side of 64 pixels or more changes by at most a fifth. The network was trained at 224 by
        224 pixels; embeddings of another size compare best among themselves.

        Args:
            views: Images of one size, at least one, in main memory or on the encoder's device.
            capture: What is wanted beside the embedding; all of it is at hand.

        Returns:
            Raw embeddings of 256 values on the encoder's device, the same whatever else is captured. Rows of
            the three blocks lack what the class token gave to itself; the last attention, which is also the
            map, is over the patches alone and sums to 1.

        Raises:
            EncoderError: `views` is not a batch of images.
        """
        height, width = _checked(views).shape[1:3]
        planes = _planes(views, device=self._spec.device)
        with full_precision(self._spec.device):
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
        """Embeddings of texts, in the space of the images' embeddings.

        Args:
            texts: At least one; English, best in the form "a photo of a dog". What goes beyond 24 tokens is
                cut off.

        Returns:
            Vectors of 256 values on the encoder's device; compare them with images by cosine, their length
            means nothing.

        Raises:
            EncoderError: No texts, or something that is no text.
        """
        with torch.no_grad():
            return text_vectors(texts, weights=self._weights)


def _rounded(weights: Weights, *, precision: str) -> Weights:
    trunk = {f"{name}.{part}" for name in convolutions() for part in ("weight", "bias")}
    return {
        name: values.to(DTYPES[precision]) if name in trunk else values for name, values in weights.items()
    }


def _look(weights: Weights, inputs: Inputs, /, *, capture: Capture) -> Outputs:
    local = local_vectors(inputs["planes"], weights=weights)
    looked = look(_projected(local.flatten(2).transpose(1, 2), weights=weights), weights=weights)
    return (
        looked.embedding,
        looked.attention[-1] if Capture.ATTENTION in capture else None,
        torch.stack(looked.attention, dim=1) if Capture.LAYERS in capture else None,
        torch.stack(looked.tokens, dim=1) if Capture.TOKENS in capture else None,
    )


def _projected(
    vectors: Float32[torch.Tensor, "views rows 1280"], *, weights: Weights
) -> Float32[torch.Tensor, "views rows dim"]:
    # One product per view. In a single product over all views, how a row is rounded depends on where in
    # the batch it stands: seen with five and seven views on two threads.
    return torch.bmm(vectors, weights["projection"].T.expand(len(vectors), -1, -1))


def workable_side(side: int, /) -> int:
    """The multiple of 32 nearest to a side in pixels (the greater at a tie), at least 64."""
    return max(SMALLEST, (side + STRIDE // 2) // STRIDE * STRIDE)


def _checked(views: AnyViews) -> AnyViews:
    if (
        views.ndim != 4
        or views.shape[3] != 3
        or views.dtype not in (np.uint8, torch.uint8)
        or 0 in views.shape
    ):
        raise EncoderError(
            f"encoder 'lite' was given an array of shape {tuple(views.shape)} and type {views.dtype}; "
            "wanted (views, height, width, 3), none of them 0, and uint8; stack RGB images of one size"
        )
    return views


def _planes(views: AnyViews, *, device: str) -> Float32[torch.Tensor, "views 3 _ _"]:
    sides = workable_side(views.shape[1]), workable_side(views.shape[2])
    stays = isinstance(views, torch.Tensor) and sides == tuple(views.shape[1:3])
    given = views if stays else _workable(to_numpy(views))
    # Channels come last in memory, as they are: the network is twice as fast on the CPU that way.
    pixels = copy_to_device(torch.as_tensor(given), device=device).permute(0, 3, 1, 2)
    return pixels.to(torch.float32).sub_(_MEAN).div_(_DEVIATION)


def _workable(views: Views) -> UInt8[np.ndarray, "views _ _ 3"]:
    sides = workable_side(views.shape[1]), workable_side(views.shape[2])
    if sides == views.shape[1:3]:
        # Torch warns of an array that it could not write to.
        return np.require(views, requirements=["C_CONTIGUOUS", "WRITEABLE"])
    size = sides[::-1]  # OpenCV says width first.
    return np.stack([cv2.resize(view, size, interpolation=cv2.INTER_LINEAR) for view in views])


def _spec(source: str, *, dim: int, device: str, precision: str, runtime: str) -> EncoderSpec:
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
            "resize": f"each side to the nearest multiple of {STRIDE} pixels, at least {SMALLEST}",
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
