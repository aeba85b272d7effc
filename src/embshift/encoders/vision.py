"""The encoder over a network of the transformers library."""

import contextlib
from collections.abc import Generator, Mapping
from typing import final

import torch
from jaxtyping import Float32

from embshift.encoders.framing import field_of
from embshift.encoders.pooling import listening
from embshift.encoders.preprocessing import Preprocessing
from embshift.encoders.probe import class_row, received_mean, recording
from embshift.encoders.towers import Tower
from embshift.encoding import Encoding
from embshift.errors import EncoderError
from embshift.types import Capture, EncoderSpec, Field, Views

__all__ = ["VisionEncoder"]

Inputs = Mapping[str, torch.Tensor]
Embedding = Float32[torch.Tensor, "views dim"]
Map = Float32[torch.Tensor, "views heads patches"]
Stack = Float32[torch.Tensor, "views layers heads patches"]
Seen = tuple[Embedding, Map | None, Stack | None]


@final
class VisionEncoder:
    """A network and its preprocessing, held open on a device."""

    def __init__(self, *, spec: EncoderSpec, tower: Tower, preprocessing: Preprocessing) -> None:
        self._spec = spec
        self._tower = tower
        self._preprocessing = preprocessing
        self._device = torch.device(spec.device)
        tower.network.to(self._device)

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    def encode(self, views: Views, /, *, capture: Capture) -> Encoding:
        """Encode one batch of views of one size.

        Args:
            views: Pictures, 0-255; the encoder resizes and crops them as its preprocessing states.
            capture: What is wanted beside the embedding.

        Returns:
            Raw embeddings and what was captured, float32, on the encoder's device. Maps are over the patches
            alone: attention to class and register tokens is left out and the rest is not renormalised.

        Raises:
            EncoderError: The preprocessing's result does not fit the encoder's grid.
        """
        inputs = self._preprocessing.prepare(views)
        grid, field = self._grid(inputs, height=views.shape[1], width=views.shape[2])
        inputs = {name: _evened(values).to(self._device) for name, values in inputs.items()}
        with torch.inference_mode(), _full_precision(self._device):
            embedding, attention, layers = _look(self._tower, inputs, capture=capture)
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
                f"pictures of {height} by {width} pixels become {sides[0]} by {sides[1]} in the encoder's "
                f"preprocessing, and it takes {wanted[0]} by {wanted[1]} in patches of {patch}; "
                "give square pictures, or set size and crop_size in its preprocessor_config.json"
            )
        grid = (sides[0] // patch, sides[1] // patch)
        return grid, field_of(frame, seen=(grid[0] * patch, grid[1] * patch))


def _evened(values: torch.Tensor) -> torch.Tensor:
    # With a number of rows that is no multiple of 4, the CPU's matrix product may round a row by its place.
    extra = -len(values) % 4 if len(values) > 1 else 0
    return torch.cat([values, values[-1:].expand(extra, *values.shape[1:])]) if extra else values


def _look(tower: Tower, inputs: Inputs, *, capture: Capture) -> Seen:
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


@contextlib.contextmanager
def _full_precision(device: torch.device) -> Generator[None]:
    # Convolutions on CUDA drop to 10 bits of mantissa unless told otherwise, and may pick their algorithm by
    # timing, which differs from run to run.
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
