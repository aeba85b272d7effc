"""The bundled encoder, opened for explaining."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float64

from embshift.core.encoding import AnyViews, Encoding
from embshift.core.errors import EncoderError
from embshift.core.types import Capture, Coordinates
from embshift.encoders.inside.layers import HeadDivergences, LayerProfile, compare_attention, compare_layers
from embshift.encoders.inside.lite_shares import (
    compute_lite_contributions,
    compute_lite_shares,
    list_lite_components,
    patch_lite,
)
from embshift.encoders.inside.results import Patches, Shares
from embshift.encoders.inside.sources import (
    GAUGE,
    SourceMap,
    map_lite_sources,
    place_maps,
)
from embshift.encoders.lite.encoder import LiteEncoder

__all__ = ["LiteInside"]

_CAPTURE = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS | Capture.TOKENS


@final
class LiteInside:
    """The bundled encoder, open for explaining.

    Args:
        encoder: The encoder, in float32 by torch.
    """

    def __init__(self, encoder: LiteEncoder) -> None:
        self._encoder = encoder
        spec = encoder.spec
        self.readout, self.gauge = "what-where", GAUGE
        self.components = tuple(list_lite_components(spec.heads))
        self.patched, self.followed = self.components, ()
        self.layers, self.heads = spec.layers, spec.heads

    def observe(self, views: AnyViews, /) -> Encoding:
        return self._encoder.encode(views, capture=_CAPTURE)

    def compute_shares(self, clean: Encoding, views: Encoding) -> Shares:
        return compute_lite_shares(clean, views)

    def compute_contributions(
        self, clean: Encoding, views: Encoding
    ) -> Float64[torch.Tensor, "views components dim"]:
        return compute_lite_contributions(clean, views)

    def patch_directly(self, clean: Encoding, views: Encoding, *, direction: str) -> Patches:
        return patch_lite(clean, views, direction=direction)

    def patch_class_path(self, clean: Encoding, views: Encoding, *, direction: str) -> Patches:
        raise EncoderError("lite reads its embedding from patches, not from a class token")

    def patch_fully(
        self, clean: Encoding, views: Encoding, names: Sequence[str], *, direction: str
    ) -> Patches:
        raise EncoderError("nothing follows the parts of lite, so its direct patches are the full ones")

    def map_sources(
        self, clean: Encoding, views: Encoding, coordinates: Sequence[Coordinates | None]
    ) -> list[SourceMap]:
        return place_maps(map_lite_sources(clean, views), coordinates, prefix=0, seen=views, clean=clean)

    def compare_layers(
        self, clean: Encoding, views: Encoding, coordinates: Sequence[Coordinates | None]
    ) -> LayerProfile:
        assert clean.tokens is not None, "they are captured"
        assert views.tokens is not None, "they are captured"
        before, after = list(clean.tokens.unbind(1)), list(views.tokens.unbind(1))
        return compare_layers(before, after, coordinates, prefix=1, grid=views.grid, field=views.field)

    def compare_attention(
        self, clean: Encoding, views: Encoding, coordinates: Sequence[Coordinates | None]
    ) -> HeadDivergences:
        assert clean.layers is not None, "they are captured"
        assert views.layers is not None, "they are captured"
        before, after = (one.double().cpu().numpy() for one in (clean.layers, views.layers))
        return compare_attention(before[0], after, coordinates, grid=views.grid, field=views.field)
