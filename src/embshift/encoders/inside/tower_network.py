"""Image towers of the transformers library, opened for explaining."""

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Float64

from embshift.core.encoding import AnyViews
from embshift.core.errors import EncoderError
from embshift.core.types import Coordinates
from embshift.encoders.inside.attention import attend_class, compute_keys_and_values
from embshift.encoders.inside.class_path import patch_class_path
from embshift.encoders.inside.class_shares import (
    compute_class_contributions,
    compute_class_shares,
    patch_directly,
)
from embshift.encoders.inside.full_patch import patch_fully
from embshift.encoders.inside.layers import HeadDivergences, LayerProfile, compare_attention, compare_layers
from embshift.encoders.inside.norms import apply_norm
from embshift.encoders.inside.observed import Observed, record_parts
from embshift.encoders.inside.parts import Parts, find_parts
from embshift.encoders.inside.pool import attend, find_pool
from embshift.encoders.inside.pooled_shares import (
    compute_pooled_contributions,
    compute_pooled_shares,
    list_pool_components,
    patch_pooled,
)
from embshift.encoders.inside.results import Patches, Shares
from embshift.encoders.inside.sources import (
    GAUGE,
    SourceMap,
    map_class_sources,
    map_pooled_sources,
    place_maps,
)
from embshift.encoders.towers.family import Inputs
from embshift.encoders.towers.vision import VisionEncoder, pad_batch

__all__ = ["TowerInside"]


@final
class TowerInside:
    """An image tower of the transformers library, open for explaining.

    Args:
        encoder: The encoder, in float32 by torch.

    Raises:
        EncoderError: If its parts are not known.
    """

    def __init__(self, encoder: VisionEncoder) -> None:
        self._encoder = encoder
        self._parts: Parts = find_parts(encoder.tower)
        self._pool = None if self._parts.prefix else find_pool(self._parts)
        blocks = [
            [*(f"head.{at}.{head}" for head in range(self._parts.heads)), f"mlp.{at}"]
            for at in range(len(self._parts.blocks))
        ]
        inner = [name for block in blocks for name in block]
        last = ["bias"] if self._pool is None else list_pool_components(self._pool)
        self.readout = self._parts.readout
        self.components = ("stem", *inner, *last)
        self.patched = ("stem", *inner)
        self.followed = tuple(inner) if self._parts.prefix else ()
        self.layers, self.heads, self.gauge = len(blocks), self._parts.heads, GAUGE

    def observe(self, views: AnyViews, /) -> Observed:
        inputs, grid, field = self._encoder.prepare(views)
        with torch.no_grad(), record_parts(self._parts) as found:
            embedding = self._encoder.tower.embed(self._encoder.network, inputs)
        count, patches = len(views), grid[0] * grid[1]
        # NaFlex pads the patches of a view at their end.
        rows = slice(0, 1) if self._parts.prefix else slice(0, patches)
        tokens = slice(0, self._parts.prefix + patches)
        return Observed(
            embedding=embedding[:count],
            grid=grid,
            field=field,
            stem=found.stem[0][:count, rows],
            heads=tuple(one[:count, rows] for one in found.heads),
            inner=tuple(one[:count, rows] for one in found.inner),
            final=found.streams[-1][:count, rows],
            attended=tuple(one[:count, tokens] for one in found.attended),
            streams=tuple(one[:count, tokens] for one in found.streams),
            rotation=found.rotation[0] if found.rotation else None,
            inputs={name: values[:count] for name, values in inputs.items()},
        )

    def compute_shares(self, clean: Observed, views: Observed) -> Shares:
        with torch.no_grad():
            if self._pool is None:
                return compute_class_shares(self._parts, clean, views)
            return compute_pooled_shares(self._parts, self._pool, clean, views)

    def compute_contributions(
        self, clean: Observed, views: Observed
    ) -> Float64[torch.Tensor, "views components dim"]:
        with torch.no_grad():
            if self._pool is None:
                return compute_class_contributions(self._parts, clean, views)
            return compute_pooled_contributions(self._parts, self._pool, clean, views)

    def patch_directly(self, clean: Observed, views: Observed, *, direction: str) -> Patches:
        with torch.no_grad():
            if self._pool is None:
                return patch_directly(self._parts, clean, views, direction=direction)
            return patch_pooled(self._parts, self._pool, clean, views, direction=direction)

    def patch_class_path(self, clean: Observed, views: Observed, *, direction: str) -> Patches:
        if not self.followed:
            raise EncoderError("this network has no class token to follow; use direct or full patches")
        with torch.no_grad():
            return patch_class_path(self._parts, clean, views, direction=direction)

    def patch_fully(
        self, clean: Observed, views: Observed, names: Sequence[str], *, direction: str
    ) -> Patches:
        tower, count = self._encoder.tower, len(views)

        def embed(inputs: Inputs) -> torch.Tensor:
            padded = {name: pad_batch(values) for name, values in inputs.items()}
            return tower.embed(tower.network, padded)[:count]

        with torch.no_grad():
            return patch_fully(self._parts, clean, views, names, direction=direction, embed=embed)

    def map_sources(
        self, clean: Observed, views: Observed, coordinates: Sequence[Coordinates | None]
    ) -> list[SourceMap]:
        with torch.no_grad():
            if self._pool is None:
                maps = map_class_sources(self._parts, clean, views)
            else:
                maps = map_pooled_sources(self._parts, self._pool, clean, views)
            return place_maps(maps, coordinates, prefix=self._parts.prefix, seen=views, clean=clean)

    def compare_layers(
        self, clean: Observed, views: Observed, coordinates: Sequence[Coordinates | None]
    ) -> LayerProfile:
        return compare_layers(
            clean.streams,
            views.streams,
            coordinates,
            prefix=self._parts.prefix,
            grid=views.grid,
            field=views.field,
        )

    def compare_attention(
        self, clean: Observed, views: Observed, coordinates: Sequence[Coordinates | None]
    ) -> HeadDivergences:
        before, after = (self._list_attention(seen) for seen in (clean, views))
        return compare_attention(before[0], after, coordinates, grid=views.grid, field=views.field)

    def _list_attention(self, seen: Observed) -> Float64[np.ndarray, "views layers heads patches"]:
        """Return the class token's rows in every block, or the probe's in the pool; NaN for a mean."""
        with torch.no_grad():
            if self._pool is not None:
                row = attend(self._pool, apply_norm(self._parts.final_norm, seen.final.double()))
                # A mean does not look anywhere, so that it has no divergence, not one of 0.
                known = row if self._pool.learned else torch.full_like(row, torch.nan)
                return known[:, None].cpu().numpy()
            rows = [
                attend_class(block, seen.attended[at], compute_keys_and_values(self._parts, seen, at)[0])
                for at, block in enumerate(self._parts.blocks)
            ]
        return torch.stack(rows, dim=1)[..., self._parts.prefix :].double().cpu().numpy()
