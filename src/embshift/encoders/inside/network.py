"""Networks opened for explaining: one face for class-token and pooled read-outs, and for ``lite``."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float64

from embshift.core.encoding import AnyViews, Encoder
from embshift.core.errors import EncoderError
from embshift.core.types import Coordinates
from embshift.encoders.inside.layers import HeadDivergences, LayerProfile
from embshift.encoders.inside.lite_network import LiteInside
from embshift.encoders.inside.results import Patches, Shares
from embshift.encoders.inside.sources import (
    SourceMap,
)
from embshift.encoders.inside.tower_network import TowerInside
from embshift.encoders.lite.encoder import LiteEncoder
from embshift.encoders.towers.vision import VisionEncoder

__all__ = ["WITHOUT_NETWORK", "Inside", "open_inside"]

WITHOUT_NETWORK = (
    "words, labels and captions work without it: embshift explain RUN --show words, labels or captions, with"
    " --vectors FILE where the encoder has no text side (store_texts of the run in Python)"
)
"""What is left to a user whose encoder's network is not explained."""

Seen = TypeVar("Seen")


@runtime_checkable
class Inside(Protocol[Seen]):
    """A network whose shifts are explained; `Seen` is what it keeps of a pass.

    Attributes:
        readout: How the embedding is read: "class", "probe", "mean" or "what-where".
        components: Names of the components, in the order of shares and contributions.
        patched: Names of the components of `patch_directly`, in order.
        followed: Names of the components of `patch_class_path`, in order; empty where it does not apply.
        layers: Number of layers in `compare_layers`.
        heads: Attention heads of a layer.
        gauge: How the maps treat constants of the values.
    """

    readout: str
    components: tuple[str, ...]
    patched: tuple[str, ...]
    followed: tuple[str, ...]
    layers: int
    heads: int
    gauge: str

    def observe(self, views: AnyViews, /) -> Seen:
        """Run the network once on views of one size."""
        ...

    def compute_shares(self, clean: Seen, views: Seen) -> Shares:
        """Compute the components' shares of each view's shift."""
        ...

    def compute_contributions(
        self, clean: Seen, views: Seen
    ) -> Float64[torch.Tensor, "views components dim"]:
        """Return the components' parts of each view's shift, as vectors."""
        ...

    def patch_directly(self, clean: Seen, views: Seen, *, direction: str) -> Patches:
        """Exchange components in what the embedding is read from."""
        ...

    def patch_class_path(self, clean: Seen, views: Seen, *, direction: str) -> Patches:
        """Exchange components and follow the class token; `EncoderError` without one."""
        ...

    def patch_fully(self, clean: Seen, views: Seen, names: Sequence[str], *, direction: str) -> Patches:
        """Exchange components in real passes; `EncoderError` where that is not possible."""
        ...

    def map_sources(
        self, clean: Seen, views: Seen, coordinates: Sequence[Coordinates | None]
    ) -> list[SourceMap]:
        """Return where in each view its shift comes from."""
        ...

    def compare_layers(
        self, clean: Seen, views: Seen, coordinates: Sequence[Coordinates | None]
    ) -> LayerProfile:
        """Return how far original and view are apart after each layer."""
        ...

    def compare_attention(
        self, clean: Seen, views: Seen, coordinates: Sequence[Coordinates | None]
    ) -> HeadDivergences:
        """Return how differently each head looks at original and view."""
        ...


def open_inside(encoder: Encoder, /) -> Inside[Any]:
    """Open an encoder's network for explaining.

    Args:
        encoder: An opened encoder.

    Raises:
        EncoderError: If it is not run in float32 by torch, or its network is not of a known kind.
    """
    spec = encoder.spec
    if not isinstance(encoder, LiteEncoder | VisionEncoder):
        raise EncoderError(
            f"the network of encoder '{spec.name}' is not open to embshift, so it cannot be explained;"
            " explained are lite and checkpoints of the families that 'embshift list encoders' names;"
            f" {WITHOUT_NETWORK}"
        )
    if spec.precision != "float32" or spec.runtime != "torch":
        raise EncoderError(
            f"a network is explained in float32 by torch only, and this encoder is run in {spec.precision} by"
            f" {spec.runtime}: its rounding would be larger than many a part; run it with --precision float32"
            " --runtime torch"
        )
    return LiteInside(encoder) if isinstance(encoder, LiteEncoder) else TowerInside(encoder)
