"""A run that is live: its views made at any strength, and encoded one at a time."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import numpy as np

from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.core.encoding import Encoder, Encoding
from embshift.core.errors import EncoderError, ShiftError
from embshift.core.types import ORIGINAL, Capture, Coordinates, Pixels
from embshift.encoders.inside import Inside, open_inside
from embshift.measurement.pipeline.perturb import measure_pixels
from embshift.measurement.pipeline.recipe import Recipe
from embshift.measurement.studies.live.pictures import Kept, LivePicture, MadeView, Pictures
from embshift.measurement.studies.live.texts import LiveTexts, load_texts
from embshift.metrics import Metric
from embshift.runs.tables import RunTables
from embshift.show.app.served.live import NOTHING, Asked, Details, NotLiveError, PlacedMap, Seen
from embshift.show.app.served.parts import arrange_shares

__all__ = ["LiveRun"]

_EVERYTHING = Capture.EMBEDDING | Capture.ATTENTION | Capture.LAYERS | Capture.TOKENS

_ORIGINALS = 4
"""Encoded originals that stay in memory, with all their tokens."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Looked:
    """What the network gave for one image.

    Attributes:
        encoding: What the encoder gave.
        inside: What is kept for an explanation; None where it is not wanted, or the network is closed.
    """

    encoding: Encoding
    inside: Any


@final
class LiveRun:
    """Makes views of a run's images, and encodes them one at a time.

    Args:
        run: The run.
        pictures: Its images.
        encoder: Its encoder, in float32.
        metrics: Its metrics on encodings, by name.
        recipe: Holds its metrics on pixels.
    """

    def __init__(
        self,
        run: RunTables,
        *,
        pictures: Pictures,
        encoder: Encoder,
        metrics: Mapping[str, Metric],
        recipe: Recipe,
    ) -> None:
        self._run, self._pictures, self._encoder = run, pictures, encoder
        self._metrics, self._recipe = metrics, recipe
        self._inside = _open_network(encoder)
        self._originals = Kept[_Looked](_ORIGINALS)
        self._lock = threading.Lock()
        needs = [metric.spec.needs for metric in metrics.values()]
        wanted = Capture.EMBEDDING | (Capture.ATTENTION if encoder.spec.map_name else Capture.EMBEDDING)
        for one in needs:
            wanted |= one & _EVERYTHING
        self._capture = wanted

    @cached_property
    def _texts(self) -> LiveTexts:
        spec = self._encoder.spec
        return load_texts(self._run, family=spec.family, dim=spec.dim, device=spec.device)

    def list_details(self) -> Sequence[str]:
        with self._lock:
            texts = self._texts
        kinds = {"word": texts.words, "label": texts.labels}
        told = [kind for kind, known in kinds.items() if len(known) > 1]
        return told if self._inside is None else ["network", *told]

    def drop(self, content: bytes, /) -> tuple[int, int]:
        return self._pictures.drop(content)

    def make(self, row: int | None, transform: str, /) -> Pixels:
        picture = self._pictures.find(row)
        if transform == ORIGINAL:
            return picture.pixels
        return self._pictures.make(picture, transform, strength=None, draw=0).view.pixels

    def see(self, asked: Asked, /) -> Seen:
        picture = self._pictures.find(asked.row)
        made = self._pictures.make(picture, asked.transform, strength=asked.strength, draw=asked.draw)
        if asked.strength is None and asked.row is not None and not made.recorded:
            raise NotLiveError("the view can no longer be made as it was measured: its pixels differ now")
        # One at a time: a second pass beside the first would only make both slower.
        with self._lock:
            return self._see(asked, picture, made)

    def _see(self, asked: Asked, picture: LivePicture, made: MadeView) -> Seen:
        original = self._originals.get(
            (picture.image_id, asked.detail, asked.head is not None),
            lambda: self._look(picture.pixels, asked),
        )
        start = time.perf_counter()
        view = self._look(made.view.pixels, asked)
        encoded = time.perf_counter()
        coordinates = None if made.view.coordinates is None else made.view.coordinates()
        maps = [_take_map(one.encoding, asked.head) for one in (view, original)]
        seen = Seen(
            image_id=picture.image_id,
            strength=made.strength,
            recorded=made.recorded,
            embedding=view.encoding.embedding[0].numpy(),
            original_embedding=original.encoding.embedding[0].numpy(),
            pixels=made.view.pixels,
            original=picture.pixels,
            map=maps[0],
            original_map=maps[1],
            map_of=asked.head if asked.head is not None and maps[0] is not None else None,
            metrics=self._measure(picture, made, original, view, coordinates, detail=asked.detail),
            details=self._explain(original, view, coordinates) if asked.detail else NOTHING,
        )
        taken = {"view": made.milliseconds, "encode": 1000 * (encoded - start)}
        if asked.detail:
            taken["detail"] = 1000 * (time.perf_counter() - encoded)
        return replace(seen, milliseconds=taken)

    def _look(self, pixels: Pixels, asked: Asked) -> _Looked:
        views = np.ascontiguousarray(pixels[None])
        observed = self._inside.observe(views) if asked.detail and self._inside is not None else None
        if isinstance(observed, Encoding):  # it holds everything that the encoder can give
            return _Looked(encoding=observed.each(lambda one: one.cpu()), inside=observed)
        capture = self._capture
        if asked.head is not None and self._encoder.spec.layers:
            capture |= Capture.LAYERS
        found = self._encoder.encode(views, capture=capture)
        return _Looked(encoding=found.each(lambda one: one.cpu()), inside=observed)

    def _measure(
        self,
        picture: LivePicture,
        made: MadeView,
        original: _Looked,
        view: _Looked,
        coordinates: Coordinates | None,
        *,
        detail: bool,
    ) -> dict[str, float]:
        """Compute the run's metrics; without detail only those on encodings that need no map of pixels."""
        found = dict[str, float]()
        for name, metric in self._metrics.items():
            more = {"coordinates": [coordinates]} if Capture.COORDINATES in metric.spec.needs else {}
            if more and not detail:
                continue
            found[name] = float(metric.compute(original.encoding, view.encoding, **more)[0])
        if detail:
            values = measure_pixels(
                picture.pixels, made.view.pixels[None], [coordinates], recipe=self._recipe
            )
            found |= {name: float(each[0]) for name, each in values.items()}
        return found

    def _explain(self, original: _Looked, view: _Looked, coordinates: Coordinates | None) -> Details:
        (before, after), _ = unit_vectors(
            np.concatenate([one.encoding.embedding.numpy() for one in (original, view)])
        )
        named = Details(words=self._texts.name(after - before), labels=self._texts.choose(before, after))
        if self._inside is None or view.inside is None:
            return named
        try:
            return _explain(self._inside, original.inside, view.inside, coordinates, named)
        except ShiftError:
            return named


def _open_network(encoder: Encoder) -> Inside[Any] | None:
    try:
        return open_inside(encoder)
    except EncoderError:
        return None


def _explain(
    inside: Inside[Any], clean: Any, view: Any, coordinates: Coordinates | None, named: Details
) -> Details:
    shares = inside.compute_shares(clean, view).share[0].cpu().numpy()
    heads, head_layer, others = arrange_shares(inside.components, shares.tolist(), layers=inside.layers)
    layers = inside.compare_layers(clean, view, [coordinates]).cosine[0]
    placed = inside.map_sources(clean, view, [coordinates])[0]
    return replace(
        named,
        layers=tuple(layers.tolist()),
        heads=heads,
        head_layer=head_layer,
        others=others,
        shift_map=PlacedMap(values=(placed.view - placed.carried).reshape(placed.grid), field=placed.field),
    )


def _take_map(encoding: Encoding, head: tuple[int, int] | None) -> PlacedMap | None:
    """Return the map of one head, or the encoder's own: the mean over the heads of the last layer."""
    if head is None:
        rows = None if encoding.attention is None else encoding.attention[0].mean(dim=0)
    else:
        layers, (layer, at) = encoding.layers, head
        known = layers is not None and layer < layers.shape[1] and at < layers.shape[2]
        rows = layers[0, layer, at] if layers is not None and known else None
    if rows is None:
        return None
    return PlacedMap(values=rows.double().numpy().reshape(encoding.grid), field=encoding.field)
