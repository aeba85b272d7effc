"""The encoder that runs a network of another library."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float32

from embshift.core.encoding import AnyViews, Encoding, to_numpy
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, EncoderSpec, Views
from embshift.encoders.borrowed.preparation import Preparation
from embshift.encoders.devices import keep_full_precision
from embshift.encoders.maps.pooling import PoolingHead, record_pooling
from embshift.encoders.plain import encode_without_map
from embshift.encoders.towers.vision import pad_batch

__all__ = ["BorrowedEncoder", "Network", "PatchMap"]

Embedding = Float32[torch.Tensor, "views dim"]
Map = Float32[torch.Tensor, "views heads patches"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PatchMap:
    """Where a network's map comes from.

    Attributes:
        head: The module whose row is the map.
        source: What the map is taken from, in words.
        grid: Rows and columns of patches.
    """

    head: PoolingHead
    source: str
    grid: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Network:
    """An opened network of another library, and how to read it.

    Attributes:
        module: The network, in eval mode, in float32.
        embed: Calls it, and returns the raw embedding.
        embedding: What the embedding is, in words.
        map: The origin of its map; None if it has none.
        digest: SHA-256 of the weight file.
        config: SHA-256 of the library's description of the network.
    """

    module: torch.nn.Module
    embed: Callable[[torch.Tensor], torch.Tensor]
    embedding: str
    map: PatchMap | None
    digest: str
    config: str


@final
class BorrowedEncoder:
    """A network of another library with that library's own preparation, open on a device.

    Args:
        source: What the user asked for.
        family: The library.
        network: The network; moved to the device.
        preparation: The conversion of views into its input.
        device: A device as torch spells it.

    Raises:
        EncoderError: The network gives no embedding for a grey image.
    """

    def __init__(
        self, *, source: str, family: str, network: Network, preparation: Preparation, device: str
    ) -> None:
        network.module.to(device)
        self._preparation, self._device, self._name = preparation, device, source
        self._network = network
        embedding, row = self._try()
        if row is None:
            self._network = replace(network, map=None)
        source_of_map = "" if self._network.map is None else self._network.map.source
        self._spec = EncoderSpec(
            name=source,
            family=family,
            dim=embedding.shape[1],
            embedding=network.embedding,
            map_name="attention map" if source_of_map else "",
            map_source=source_of_map,
            layers=0,
            heads=0 if row is None else row.shape[1],
            digest=network.digest,
            preprocessing=preparation.settings,
            precision="float32",
            device=device,
            config=network.config,
        )

    @property
    def spec(self) -> EncoderSpec:
        """How the encoder states itself."""
        return self._spec

    def encode(self, views: AnyViews, /, *, capture: Capture) -> Encoding:
        """Encode one batch of views of one size.

        Args:
            views: Images, 0-255; the library's own preparation resizes and crops them.
            capture: What to return besides the embedding; a map only if the spec states one.

        Returns:
            Raw embeddings, and the map over patches if it was captured: float32, on the encoder's device.

        Raises:
            EncoderError: The embedding is not one vector for each view, or the map has places outside the
                image.
        """
        images = to_numpy(views)
        origin = self._network.map if Capture.ATTENTION in capture else None
        embedding, row = self._run(images, mapped=origin is not None)
        if origin is None or row is None:
            return encode_without_map(embedding, images)
        rows, columns = origin.grid
        sides = self._measure_sides(images)
        seen = (sides[0] // rows * rows, sides[1] // columns * columns)
        field = self._preparation.compute_field(*images.shape[1:3], seen=seen)
        return Encoding(embedding=embedding, grid=origin.grid, field=field, attention=row)

    def _measure_sides(self, images: Views) -> tuple[int, int]:
        """Return height and width of the network's input, in pixels."""
        height, width = images.shape[1:3]
        frame = self._preparation.frame(height, width)
        return (height, width) if frame is None else frame.crop

    def _run(self, images: Views, *, mapped: bool) -> tuple[Embedding, Map | None]:
        inputs = pad_batch(self._preparation.prepare(images)).to(self._device)
        origin = self._network.map
        with torch.no_grad(), keep_full_precision(self._device):
            if origin is None or not mapped:
                return self._check(self._network.embed(inputs), images), None
            with record_pooling(origin.head) as rows:
                embedding = self._network.embed(inputs)
        return self._check(embedding, images), rows[0][: len(images)].contiguous()

    def _check(self, found: torch.Tensor, images: Views) -> Embedding:
        if found.ndim != 2 or len(found) < len(images):
            raise EncoderError(
                f"encoder '{self._name}' gives {tuple(found.shape)} for {len(images)} images; expected one"
                " vector for each: use a network that pools its features"
            )
        return found[: len(images)].contiguous()

    def _try(self) -> tuple[Embedding, Map | None]:
        """Return embedding and map of a grey image; no map where it does not fill the grid."""
        grey = np.full((1, 256, 256, 3), 128, np.uint8)
        origin = self._network.map
        embedding, row = self._run(grey, mapped=origin is not None)
        fills = origin is not None and row is not None and row.shape[-1] == origin.grid[0] * origin.grid[1]
        return embedding, row if fills else None
