"""The encoder over a network of the transformers library."""

from functools import partial
from typing import final

import torch
from jaxtyping import Float32

from embshift.core.device_copy import copy_to_device
from embshift.core.encoding import AnyViews, Encoding
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, EncoderSpec, Field
from embshift.encoders.devices import full_precision
from embshift.encoders.maps.pooling import listening
from embshift.encoders.maps.probe import class_row, received_mean, recording
from embshift.encoders.speed.class_block import cut_last_block
from embshift.encoders.speed.half_precision import halve
from embshift.encoders.speed.patch_product import multiply_patches
from embshift.encoders.speed.program import Inputs, Outputs
from embshift.encoders.speed.quick_gelu import quicken
from embshift.encoders.speed.runtimes import Programs
from embshift.encoders.towers.framing import field_of
from embshift.encoders.towers.preprocessing import Preprocessing
from embshift.encoders.towers.tower import Tower

__all__ = ["VisionEncoder"]

Embedding = Float32[torch.Tensor, "views dim"]
Map = Float32[torch.Tensor, "views heads patches"]
Stack = Float32[torch.Tensor, "views layers heads patches"]
Seen = tuple[Embedding, Map | None, Stack | None]


@final
class VisionEncoder:
    """A network and its preprocessing, held open on a device.

    Args:
        spec: How it states itself; its precision, device and runtime are what the network is brought to.
        tower: The network, in float32.
        preprocessing: What turns views into its inputs.

    Raises:
        EncoderError: The runtime cannot do this here.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, *, spec: EncoderSpec, tower: Tower, preprocessing: Preprocessing) -> None:
        if spec.runtime != "torch" and preprocessing.frame is None:
            # How its positions are laid out follows from the images' shape, which a graph would fix.
            raise EncoderError(
                f"a NaFlex encoder cannot be run by '{spec.runtime}': its grid follows the images' shape; "
                "use the runtime torch"
            )
        if spec.runtime == "compiled" and tower.pooling is not None:
            # Seen with SigLIP: compiled, the head's single query is rounded by its place in the batch.
            raise EncoderError(
                "an encoder with a pooling head cannot be compiled: a view's embedding would depend on where "
                "it stands in its batch; use the runtime torch or openvino"
            )
        self._spec = spec
        self._tower = tower
        self._preprocessing = preprocessing
        tower.network.to(spec.device)
        if spec.device.startswith("cuda"):
            multiply_patches(tower.network)
        if tower.prefix:
            cut_last_block(tower.network)
        if spec.runtime == "torch" and spec.device == "cpu":
            quicken(tower.network)
        if spec.runtime != "openvino":  # which rounds by itself
            head = None if tower.pooling is None else tower.pooling.module
            halve(tower.network, precision=spec.precision, keep=head)
        self._programs = Programs(
            partial(_look, tower), runtime=spec.runtime, device=spec.device, precision=spec.precision
        )

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Encode one batch of views of one size.

        Args:
            views: Images, 0-255, in main memory or on the encoder's device; the encoder resizes and
                crops them as its preprocessing states.
            capture: What is wanted beside the embedding.

        Returns:
            Raw embeddings and what was captured, float32, on the encoder's device. Maps are over the patches
            alone: attention to class and register tokens is left out and the rest is not renormalised.

        Raises:
            EncoderError: The preprocessing's result does not fit the encoder's grid.
        """
        device, (height, width) = self._spec.device, views.shape[1:3]
        if device != "cpu" and self._preprocessing.stays(height, width):
            # Bytes go over, and become the four times longer floats there.
            views = copy_to_device(torch.as_tensor(views), device=device)
        inputs = self._preprocessing.prepare(views)
        grid, field = self._grid(inputs, height=height, width=width)
        inputs = {name: copy_to_device(_evened(values), device=device) for name, values in inputs.items()}
        with full_precision(device):
            seen: Outputs = self._programs.run(inputs, capture=capture)
        embedding, attention, layers = seen
        count, patches = len(views), grid[0] * grid[1]
        return Encoding(
            embedding=embedding[:count],
            grid=grid,
            field=field,
            # NaFlex pads the patches of a view at their end.
            attention=None if attention is None else attention[:count, ..., :patches].contiguous(),
            layers=None if layers is None else layers[:count],
        )

    def _grid(self, inputs: Inputs, *, height: int, width: int) -> tuple[tuple[int, int], Field]:
        if self._preprocessing.frame is None:
            rows, columns = (int(side) for side in inputs["spatial_shapes"][0])
            return (rows, columns), Field(0.0, 0.0, float(height), float(width))
        frame = self._preprocessing.frame(height, width)
        sides, wanted = tuple(inputs["pixel_values"].shape[-2:]), self._tower.sides or frame.crop
        patch = self._tower.patch
        if sides != frame.crop or sides != wanted or min(sides) < patch:
            raise EncoderError(
                f"images of {height} by {width} pixels become {sides[0]} by {sides[1]} in the encoder's "
                f"preprocessing, and it takes {wanted[0]} by {wanted[1]} in patches of {patch}; "
                "give square images, or set size and crop_size in its preprocessor_config.json"
            )
        grid = (sides[0] // patch, sides[1] // patch)
        return grid, field_of(frame, seen=(grid[0] * patch, grid[1] * patch))


def _evened(values: torch.Tensor) -> torch.Tensor:
    # With a number of rows that is no multiple of 4, the CPU's matrix product may round a row by its place.
    extra = -len(values) % 4 if len(values) > 1 else 0
    return torch.cat([values, values[-1:].expand(extra, *values.shape[1:])]) if extra else values


def _look(tower: Tower, inputs: Inputs, /, *, capture: Capture) -> Seen:
    if tower.prefix and capture & (Capture.ATTENTION | Capture.LAYERS):
        return _look_class(tower, inputs, capture=capture)
    if Capture.ATTENTION not in capture:
        return tower.embed(tower.network, inputs), None, None
    if tower.pooling:
        with listening(tower.pooling) as heard:
            embedding = tower.embed(tower.network, inputs)
        return embedding, heard[0], None
    with recording(blocks=tower.blocks, wanted={tower.blocks - 1}, reduce=received_mean) as tape:
        embedding = tower.embed(tower.network, inputs)
    return embedding, tape.rows[0], None


def _look_class(tower: Tower, inputs: Inputs, *, capture: Capture) -> Seen:
    every = Capture.LAYERS in capture
    wanted = range(tower.blocks) if every else range(tower.blocks - 1, tower.blocks)
    with recording(blocks=tower.blocks, wanted=wanted, reduce=class_row) as tape:
        embedding = tower.embed(tower.network, inputs)
    attention = tape.rows[-1][..., tower.prefix :].contiguous() if Capture.ATTENTION in capture else None
    layers = torch.stack([row[..., tower.prefix :] for row in tape.rows], dim=1) if every else None
    return embedding, attention, layers
