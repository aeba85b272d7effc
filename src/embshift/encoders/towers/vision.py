"""The encoder that runs an image tower of the transformers library."""

from functools import partial
from typing import final

import torch
from jaxtyping import Float32

from embshift.core.device_copy import copy_to_device
from embshift.core.encoding import AnyViews, Encoding
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, EncoderSpec, Field
from embshift.encoders.devices import keep_full_precision
from embshift.encoders.maps.pooling import record_pooling
from embshift.encoders.maps.tape import compute_class_row, compute_received_attention, record_attention
from embshift.encoders.speed.class_block import cut_last_block
from embshift.encoders.speed.half_precision import use_half_precision
from embshift.encoders.speed.patch_product import multiply_patches
from embshift.encoders.speed.program import Inputs, Outputs
from embshift.encoders.speed.quick_gelu import use_quick_gelu
from embshift.encoders.speed.runtimes import Programs
from embshift.encoders.towers.frame import compute_field
from embshift.encoders.towers.preprocessing import Preprocessing
from embshift.encoders.towers.tower import Tower

__all__ = ["VisionEncoder", "pad_batch"]

Embedding = Float32[torch.Tensor, "views dim"]
Map = Float32[torch.Tensor, "views heads patches"]
Stack = Float32[torch.Tensor, "views layers heads patches"]
VisionOutputs = tuple[Embedding, Map | None, Stack | None]


@final
class VisionEncoder:
    """A network and its preprocessing, open on a device.

    Args:
        spec: How it states itself; the network is converted to its precision, device and runtime.
        tower: The network, in float32.
        preprocessing: The conversion of views into its inputs.

    Raises:
        EncoderError: The runtime cannot run this encoder here.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, *, spec: EncoderSpec, tower: Tower, preprocessing: Preprocessing) -> None:
        if spec.runtime != "torch" and preprocessing.frame is None:
            # The layout of its positions follows the images' shape, which a graph would fix.
            raise EncoderError(
                f"runtime '{spec.runtime}' cannot run a NaFlex encoder, because its grid follows the images' "
                "shape; use --runtime torch"
            )
        if spec.runtime == "compiled" and tower.pooling is not None:
            # Observed with SigLIP: compiled, the rounding of the head's single query depends on its place in
            # the batch.
            raise EncoderError(
                "runtime 'compiled' cannot run an encoder with a pooling head: a view's embedding would "
                "depend on its place in the batch; use --runtime torch or openvino"
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
            use_quick_gelu(tower.network)
        if spec.runtime != "openvino":  # OpenVINO rounds by itself
            head = None if tower.pooling is None else tower.pooling.module
            use_half_precision(tower.network, precision=spec.precision, keep=head)
        self._programs = Programs(
            partial(_run_tower, tower), runtime=spec.runtime, device=spec.device, precision=spec.precision
        )

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    @property
    def network(self) -> torch.nn.Module:
        """The network, as it was converted."""
        return self._tower.network

    @property
    def tower(self) -> Tower:
        """The network as it was converted, and how to read it."""
        return self._tower

    def prepare(self, views: AnyViews, /) -> tuple[Inputs, tuple[int, int], Field]:
        """Return what the network is called with, padded to a multiple of four views, on its device.

        Args:
            views: As for `encode`.

        Returns:
            The inputs, rows and columns of patches, and the rectangle of the image that the encoder sees.

        Raises:
            EncoderError: The result of the preprocessing does not fit the encoder's grid.
        """
        device, (height, width) = self._spec.device, views.shape[1:3]
        if device != "cpu" and self._preprocessing.leaves_untouched(height, width):
            # Bytes are copied, and become the four times larger floats on the device.
            views = copy_to_device(torch.as_tensor(views), device=device)
        inputs = self._preprocessing.prepare(views)
        grid, field = self._compute_grid(inputs, height=height, width=width)
        placed = {name: copy_to_device(pad_batch(values), device=device) for name, values in inputs.items()}
        return placed, grid, field

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Encode one batch of views of one size.

        Args:
            views: Images, 0-255, in main memory or on the encoder's device; the encoder resizes and crops
                them as its preprocessing states.
            capture: What to return besides the embedding.

        Returns:
            Raw embeddings and what was captured, float32, on the encoder's device. Maps are over the patches
            only: attention to class and register tokens is left out, and the rest is not renormalised.

        Raises:
            EncoderError: The result of the preprocessing does not fit the encoder's grid.
        """
        inputs, grid, field = self.prepare(views)
        with keep_full_precision(self._spec.device):
            outputs: Outputs = self._programs.run(inputs, capture=capture)
        embedding, attention, layers = outputs
        count, patches = len(views), grid[0] * grid[1]
        return Encoding(
            embedding=embedding[:count],
            grid=grid,
            field=field,
            # NaFlex pads the patches of a view at their end.
            attention=None if attention is None else attention[:count, ..., :patches].contiguous(),
            layers=None if layers is None else layers[:count],
        )

    def _compute_grid(self, inputs: Inputs, *, height: int, width: int) -> tuple[tuple[int, int], Field]:
        if self._preprocessing.frame is None:
            rows, columns = (int(side) for side in inputs["spatial_shapes"][0])
            return (rows, columns), Field(0.0, 0.0, float(height), float(width))
        frame = self._preprocessing.frame(height, width)
        sides, wanted = tuple(inputs["pixel_values"].shape[-2:]), self._tower.sides or frame.crop
        patch = self._tower.patch
        if sides != frame.crop or sides != wanted or sides[0] < patch[0] or sides[1] < patch[1]:
            raise EncoderError(self._explain_sides(height, width, sides=sides, wanted=wanted))
        grid = (sides[0] // patch[0], sides[1] // patch[1])
        return grid, compute_field(frame, seen=(grid[0] * patch[0], grid[1] * patch[1]))

    def _explain_sides(
        self, height: int, width: int, *, sides: tuple[int, ...], wanted: tuple[int, int]
    ) -> str:
        frame, square, patch = self._preprocessing.frame, min(height, width), self._tower.patch
        if height != width and frame and frame(square, square).crop == wanted:
            remedy = "use square images"
        else:  # no image has the right size after this preprocessing
            remedy = "these sizes come from two files that differ: set size and crop_size in "
            remedy += "preprocessor_config.json, or image_size in config.json"
        return (
            f"images of {height} by {width} pixels become {sides[0]} by {sides[1]} in the encoder's "
            f"preprocessing (preprocessor_config.json), but it takes {wanted[0]} by {wanted[1]} in patches "
            f"of {patch[0]} by {patch[1]} (config.json); {remedy}"
        )


def pad_batch(values: torch.Tensor, /) -> torch.Tensor:
    """Return a batch padded to a multiple of four rows by repeats of its last row."""
    # If the number of rows is not a multiple of 4, the CPU may round a row of a product by its place.
    extra = -len(values) % 4 if len(values) > 1 else 0
    return torch.cat([values, values[-1:].expand(extra, *values.shape[1:])]) if extra else values


def _run_tower(tower: Tower, inputs: Inputs, /, *, capture: Capture) -> VisionOutputs:
    if tower.prefix and capture & (Capture.ATTENTION | Capture.LAYERS):
        return _run_class_tower(tower, inputs, capture=capture)
    if Capture.ATTENTION not in capture:
        return tower.embed(tower.network, inputs), None, None
    if tower.pooling:
        with record_pooling(tower.pooling) as rows:
            embedding = tower.embed(tower.network, inputs)
        return embedding, rows[0], None
    with record_attention(
        blocks=tower.blocks, wanted={tower.blocks - 1}, reduce=compute_received_attention
    ) as tape:
        embedding = tower.embed(tower.network, inputs)
    return embedding, tape.rows[0], None


def _run_class_tower(tower: Tower, inputs: Inputs, *, capture: Capture) -> VisionOutputs:
    every = Capture.LAYERS in capture
    wanted = range(tower.blocks) if every else range(tower.blocks - 1, tower.blocks)
    with record_attention(blocks=tower.blocks, wanted=wanted, reduce=compute_class_row) as tape:
        embedding = tower.embed(tower.network, inputs)
    attention = tape.rows[-1][..., tower.prefix :].contiguous() if Capture.ATTENTION in capture else None
    layers = torch.stack([row[..., tower.prefix :] for row in tape.rows], dim=1) if every else None
    return embedding, attention, layers
