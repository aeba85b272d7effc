"""The line in one screen: perturb → encode → compare → rows. Pure: what goes in decides what comes out.

`perturb_image` runs in worker processes and knows no encoder; `encode_views` runs beside the weights;
`compare_views` turns encodings into values. The one set of views serves every metric.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from embshift.core.encoding import Encoder, Encoding, concatenate
from embshift.core.types import Capture, Coordinates
from embshift.images import Decoded
from embshift.measurement.pipeline.batches import Batches, Mishaps
from embshift.measurement.pipeline.perturb import Attempt, Item, Perturbed, Recipe, Values, perturb_image
from embshift.metrics import Metric

__all__ = [
    "Attempt",
    "Compared",
    "Item",
    "Mishaps",
    "Perturbed",
    "Ready",
    "Recipe",
    "compare_views",
    "encode_views",
    "perturb_image",
]


Ready: TypeAlias = Sequence[tuple[Perturbed, Encoding | None]]
"""Pictures, each with the encoding of its views."""


def encode_views(
    stream: Iterable[Perturbed],
    /,
    *,
    encoder: Encoder,
    batch: int,
    capture: Capture,
    plain: Callable[[], Encoder] | None = None,
    mishaps: Mishaps | None = None,
) -> Iterator[Ready]:
    """Pictures with the encodings of their views, in order, through batches of one constant shape.

    A row's last bits depend on the shape of its batch but not on its neighbours, so the last batch is padded
    and never smaller. What a metric needs is captured only where the picture is in the metric sample.

    Args:
        stream: Pictures with their views, which are copied before the next picture is taken.
        encoder: The encoder.
        batch: Views in every batch; halved where memory does not hold it.
        capture: What the metrics of the sample need.
        plain: Opens the same encoder in float32, for views whose embedding is not finite; None where the
            encoder is in float32.
        mishaps: Counted up.

    Yields:
        The pictures as they came, without their pixels, as many at once as a batch completes; None beside
        those without views.
    """
    batches = Batches(encoder, size=batch, capture=capture, plain=plain, mishaps=mishaps or Mishaps())
    waiting, done = list[_Waiting](), list[Encoding]()
    for perturbed in stream:
        pixels = perturbed.pixels if perturbed.held is None else perturbed.held
        count = 0 if perturbed.pixels is None else len(perturbed.pixels)
        waiting.append((replace(perturbed, pixels=None, held=None), count))
        encoded = [] if pixels is None else batches.add(pixels, sampled=perturbed.item.sampled)
        if encoded or not count:
            ready, done, waiting = _settle(waiting, done + encoded)
            if ready:
                yield ready
    ready, _, _ = _settle(waiting, done + batches.finish())
    if ready:
        yield ready


_Waiting = tuple[Perturbed, int]  # with the number of its views


def _settle(
    waiting: list[_Waiting], done: list[Encoding]
) -> tuple[list[tuple[Perturbed, Encoding | None]], list[Encoding], list[_Waiting]]:
    """The pictures whose views are all encoded, and what is left over."""
    ready, encoded = list[tuple[Perturbed, Encoding | None]](), sum(map(len, done))
    for position, (perturbed, count) in enumerate(waiting):
        if count > encoded:
            return ready, done, waiting[position:]
        own, done = _split(done, count)
        encoded -= count
        ready.append((perturbed, concatenate(own) if own else None))
    return ready, done, []


def _split(parts: list[Encoding], count: int) -> tuple[list[Encoding], list[Encoding]]:
    """The first views and the others; batches stay apart, since not all of them hold the same captures."""
    own = list[Encoding]()
    for position, part in enumerate(parts):
        if count == 0:
            return own, parts[position:]
        taken = min(count, len(part))
        own.append(part.between(0, taken))
        count -= taken
        if taken < len(part):
            return own, [part.between(taken, len(part)), *parts[position + 1 :]]
    return own, []


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """A picture's results, ready for the tables.

    Attributes:
        item: Its row of the listing.
        decoded: What was read.
        attempts: As in `Perturbed`, with "non_finite" where the encoder gave NaN or infinity.
        encoding: Of the attempts that have one, in their order; None for a picture without views.
        values: Every metric of every view with status "ok", in the order of the attempts.
    """

    item: Item
    decoded: Decoded
    attempts: tuple[Attempt, ...]
    encoding: Encoding | None
    values: Mapping[str, Float64[np.ndarray, " views"]]


def compare_views(ready: Ready, /, *, metrics: Mapping[str, Metric]) -> list[Compared]:
    """Pictures' views against their originals; undefined values stay NaN.

    A value follows from its own two encodings: which pictures are compared at once changes no bit of it.

    Args:
        ready: Pictures with the encodings of their originals and views; None for one that has none.
        metrics: Metrics on encodings; outside the metric sample only those that need embeddings alone.
    """
    kept = [_finite(perturbed, encoding) for perturbed, encoding in ready]
    found = [Values() for _ in kept]
    for sampled in (True, False):
        places = [
            at
            for at, one in enumerate(kept)
            if one.result.item.sampled is sampled and len(one.places) > 1 and one.places[0] == 0
        ]
        wanted = {n: m for n, m in metrics.items() if sampled or m.spec.needs == Capture.EMBEDDING}
        if places:
            for at, values in zip(places, _paired([kept[at] for at in places], wanted), strict=True):
                found[at] = {**values, **kept[at].values}
    return [replace(one.result, values=values) for one, values in zip(kept, found, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Kept:
    """A picture without the views that the encoder gave no finite embedding for.

    Attributes:
        result: Without values.
        places: Which of the views that were made are left, the original being 0.
        values: The pixel metrics of those.
        maps: Their maps; empty where no metric takes them.
    """

    result: Compared
    places: np.ndarray
    values: Mapping[str, Float64[np.ndarray, " views"]]
    maps: Sequence[Coordinates | None]


def _finite(perturbed: Perturbed, encoding: Encoding | None) -> _Kept:
    attempts, places, values = perturbed.attempts, np.empty(0, np.int64), perturbed.values
    maps: Sequence[Coordinates | None] = ()
    if encoding is not None:
        finite = np.asarray(np.isfinite(encoding.embedding.numpy()).all(axis=1))
        places = np.flatnonzero(finite)
        if len(places) < len(encoding):
            attempts, encoding = _mark_non_finite(attempts, finite), encoding.select(places.tolist())
            values = {name: column[places[places > 0] - 1] for name, column in values.items()}
        maps = (
            [perturbed.coordinates[at - 1] for at in places.tolist() if at] if perturbed.coordinates else ()
        )
    result = Compared(
        item=perturbed.item, decoded=perturbed.decoded, attempts=attempts, encoding=encoding, values={}
    )
    return _Kept(result=result, places=places, values=values, maps=maps)


def _paired(kept: Sequence[_Kept], metrics: Mapping[str, Metric]) -> list[Values]:
    """Every metric of every view, by picture: all pictures at once."""
    whole = concatenate([one.result.encoding for one in kept if one.result.encoding is not None])
    counts = np.array([len(one.places) for one in kept])
    starts = np.cumsum(counts) - counts
    is_view = np.ones(len(whole), bool)
    is_view[starts] = False
    before, after = np.repeat(starts, counts - 1), np.flatnonzero(is_view)
    reference, shifted = whole.select(before.tolist()), whole.select(after.tolist())
    maps, ends = [each for one in kept for each in one.maps], np.cumsum(counts - 1)[:-1]
    columns = {
        name: np.split(np.asarray(metric.compute(reference, shifted, **_needed(metric, maps))), ends)
        for name, metric in metrics.items()
    }
    return [{name: parts[at] for name, parts in columns.items()} for at in range(len(kept))]


def _needed(metric: Metric, maps: Sequence[Coordinates | None]) -> dict[str, Sequence[Coordinates | None]]:
    return {"coordinates": maps} if Capture.COORDINATES in metric.spec.needs else {}


def _mark_non_finite(attempts: tuple[Attempt, ...], finite: np.ndarray) -> tuple[Attempt, ...]:
    flags = iter(finite)
    return tuple(
        attempt._replace(status="non_finite", error="the encoder gave NaN or infinity")
        if attempt.status == "ok" and not next(flags)
        else attempt
        for attempt in attempts
    )
