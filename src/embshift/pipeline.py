"""The line in one screen: perturb → encode → compare → rows. Pure: what goes in decides what comes out.

`perturb_image` runs in worker processes and knows no encoder; `encode_views` runs beside the weights;
`compare_views` turns encodings into values. The one set of views serves every metric.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float64

from embshift.encoding import Encoder, Encoding, concatenate
from embshift.errors import TransformError
from embshift.images import Decoded, Limits, decode, resize
from embshift.metrics import Metric
from embshift.transforms.building import perturb, pixels_digest
from embshift.transforms.drawn import jsonable
from embshift.transforms.levels import level_of
from embshift.types import (
    ORIGINAL,
    Capture,
    Coordinates,
    ImageRecord,
    Pixels,
    Transform,
    View,
    ViewKey,
    Views,
)

__all__ = [
    "Attempt",
    "Compared",
    "Item",
    "Perturbed",
    "Recipe",
    "compare_views",
    "encode_views",
    "perturb_image",
]

PixelMetric = Callable[[Pixels, Views], Float64[np.ndarray, " views"]]
AlignedMetric = Callable[..., Float64[np.ndarray, " views"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One row of the frozen listing: a record, whether it is in the metric sample, and its chunk."""

    record: ImageRecord
    sampled: bool
    chunk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What happens to every picture before the encoder.

    Attributes:
        limits: What a picture may ask for.
        size: Height and width after the resize, in pixels.
        rule: The resize rule.
        seed: The run's seed.
        draws: Repeats of every transform.
        transforms: The transforms by name, in order.
        metrics: The pixel metrics by name; taken for the metric sample.
        aligned: The metrics on pixels that take the maps of the views; for the metric sample.
        mapped: Whether the maps of the sample's views are kept for the metrics on encodings.
    """

    limits: Limits
    size: tuple[int, int]
    rule: str
    seed: int
    draws: int
    transforms: Mapping[str, Transform]
    metrics: Mapping[str, PixelMetric]
    aligned: Mapping[str, AlignedMetric] = field(default_factory=dict[str, AlignedMetric])
    mapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One view as tried, or the original: a row of ``embeddings``.

    Attributes:
        transform: The transform's name, or "original".
        draw: The repeat.
        severity: Level 1-5; None where the plan asks for none.
        strength: In the transform's unit; None for one without strength.
        status: "ok", "transform_failed" or "non_finite".
        error: The reason in words; None for "ok".
        parameters: JSON of the values drawn.
        digest: `pixels_digest` of the view; None where it failed.
    """

    transform: str
    draw: int
    severity: int | None = None
    strength: float | None = None
    status: str = "ok"
    error: str | None = None
    parameters: str = "{}"
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Perturbed:
    """A picture with its views, ready for the encoder.

    Attributes:
        item: Its row of the listing.
        decoded: What was read, without its pixels; a status other than "ok" means that there are no views.
        attempts: The original first, then every transform and draw, also those that failed.
        pixels: The attempts that succeeded, in their order.
        values: Pixel metrics of the views that succeeded (the original is not among them).
        coordinates: Their maps, None for those whose pixels stay; empty where no metric takes them.
    """

    item: Item
    decoded: Decoded
    attempts: tuple[Attempt, ...] = ()
    pixels: Views | None = None
    values: Mapping[str, Float64[np.ndarray, " views-1"]]
    coordinates: Sequence[Coordinates | None] = ()


def perturb_image(item: Item, /, *, recipe: Recipe) -> Perturbed:
    """Read a picture, resize it, and make every view of it; what fails is a status, never an exception."""
    decoded = decode(item.record, limits=recipe.limits)
    if decoded.pixels is None:
        return Perturbed(item=item, decoded=decoded, values={})
    original = resize(decoded.pixels, size=recipe.size, rule=recipe.rule)
    attempts = [Attempt(transform=ORIGINAL, draw=0, digest=pixels_digest(original))]
    pixels, views = [original], list[View]()
    for attempt, view in _views(original, image_id=str(decoded.image_id), recipe=recipe):
        attempts.append(attempt)
        if view is not None:
            pixels.append(view.pixels)
            views.append(view)
    stacked = np.stack(pixels)
    maps = _maps(views) if item.sampled and (recipe.aligned or recipe.mapped) else ()
    values = _pixel_values(original, stacked[1:], maps, recipe=recipe) if item.sampled else {}
    return Perturbed(
        item=item,
        decoded=replace(decoded, pixels=None),
        attempts=tuple(attempts),
        pixels=stacked,
        values=values,
        coordinates=maps if recipe.mapped else (),
    )


def _maps(views: Iterable[View]) -> tuple[Coordinates | None, ...]:
    return tuple(None if view.coordinates is None else view.coordinates() for view in views)


def _pixel_values(
    original: Pixels, views: Views, maps: Sequence[Coordinates | None], *, recipe: Recipe
) -> dict[str, Float64[np.ndarray, " views"]]:
    plain = {name: metric(original, views) for name, metric in recipe.metrics.items()}
    return plain | {
        name: metric(original, views, coordinates=maps) for name, metric in recipe.aligned.items()
    }


def _views(original: Pixels, *, image_id: str, recipe: Recipe) -> Iterator[tuple[Attempt, View | None]]:
    for name, transform in recipe.transforms.items():
        for draw in range(recipe.draws):
            key = ViewKey(run_seed=recipe.seed, image_id=image_id, transform=name, draw=draw)
            yield _view(original, transform, key)


def _view(original: Pixels, transform: Transform, key: ViewKey) -> tuple[Attempt, View | None]:
    level = level_of(transform)
    attempt = Attempt(
        transform=key.transform, draw=key.draw, severity=level.severity, strength=level.strength
    )
    try:
        view = perturb(original, transform, key=key)
    except TransformError as error:
        return replace(attempt, status="transform_failed", error=str(error)), None
    parameters = json.dumps(jsonable(view.parameters), sort_keys=True)
    return replace(attempt, parameters=parameters, digest=pixels_digest(view.pixels)), view


def encode_views(
    stream: Iterable[Perturbed], /, *, encoder: Encoder, batch: int, capture: Capture
) -> Iterator[tuple[Perturbed, Encoding | None]]:
    """Each picture with the encoding of its views, in order, through batches of one constant shape.

    A row's last bits depend on the shape of its batch but not on its neighbours, so the last batch is padded
    and never smaller. What a metric needs is captured only where the picture is in the metric sample.

    Args:
        stream: Pictures with their views.
        encoder: The encoder.
        batch: Views in every batch.
        capture: What the metrics of the sample need.

    Yields:
        The pictures as they came; None beside those without views.
    """
    waiting = list[Perturbed]()
    views = list[tuple[Pixels, bool]]()
    done = list[Encoding]()
    for perturbed in stream:
        waiting.append(perturbed)
        views += [(pixels, perturbed.item.sampled) for pixels in _pixels(perturbed)]
        while len(views) >= batch:
            done.append(_encode_batch(views[:batch], encoder, batch, capture))
            del views[:batch]
            ready, done, waiting = _settle(waiting, done)
            yield from ready
    if views:
        done.append(_encode_batch(views, encoder, batch, capture))
    ready, _, _ = _settle(waiting, done)
    yield from ready


def _pixels(perturbed: Perturbed) -> Views:
    return np.empty((0, 1, 1, 3), np.uint8) if perturbed.pixels is None else perturbed.pixels


def _encode_batch(
    views: list[tuple[Pixels, bool]], encoder: Encoder, batch: int, capture: Capture
) -> Encoding:
    wanted = capture if any(sampled for _, sampled in views) else Capture.EMBEDDING
    real = [pixels for pixels, _ in views]
    padding = [real[-1]] * (batch - len(real))
    encoding = encoder.encode(np.stack(real + padding), capture=wanted | Capture.EMBEDDING)
    return encoding.to_cpu().select(range(len(real)))


Settled = list[tuple[Perturbed, Encoding | None]]


def _settle(
    waiting: list[Perturbed], done: list[Encoding]
) -> tuple[Settled, list[Encoding], list[Perturbed]]:
    """The pictures whose views are all encoded, and what is left over."""
    ready: Settled = []
    for position, perturbed in enumerate(waiting):
        count = len(_pixels(perturbed))
        if count > sum(len(part) for part in done):
            return ready, done, waiting[position:]
        own, done = _split(done, count)
        ready.append((perturbed, concatenate(own) if own else None))
    return ready, done, []


def _split(parts: list[Encoding], count: int) -> tuple[list[Encoding], list[Encoding]]:
    """The first views and the others; batches stay apart, since not all of them hold the same captures."""
    own = list[Encoding]()
    for position, part in enumerate(parts):
        if count == 0:
            return own, parts[position:]
        taken = min(count, len(part))
        own.append(part.select(range(taken)))
        count -= taken
        if taken < len(part):
            return own, [part.select(range(taken, len(part))), *parts[position + 1 :]]
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


def compare_views(
    perturbed: Perturbed, encoding: Encoding | None, /, *, metrics: Mapping[str, Metric]
) -> Compared:
    """A picture's views against its original; undefined values stay NaN.

    Args:
        perturbed: The picture with its views.
        encoding: Of its original and views; None where it has none.
        metrics: Metrics on encodings; outside the metric sample only those that need embeddings alone.
    """
    plain = Compared(
        item=perturbed.item,
        decoded=perturbed.decoded,
        attempts=perturbed.attempts,
        encoding=encoding,
        values={},
    )
    if encoding is None:
        return plain
    finite = np.asarray(np.isfinite(encoding.embedding.numpy()).all(axis=1))
    attempts = _mark_non_finite(perturbed.attempts, finite)
    kept = np.flatnonzero(finite)
    plain = replace(plain, attempts=attempts, encoding=encoding.select(kept.tolist()))
    if not finite[0] or len(kept) < 2:
        return plain
    values = {name: column[kept[1:] - 1] for name, column in perturbed.values.items()}
    reference, shifted = encoding.select([0] * (len(kept) - 1)), encoding.select(kept[1:].tolist())
    wanted = {n: m for n, m in metrics.items() if perturbed.item.sampled or m.spec.needs == Capture.EMBEDDING}
    maps = [perturbed.coordinates[at - 1] for at in kept[1:]] if perturbed.coordinates else ()
    paired = {
        name: np.asarray(metric.compute(reference, shifted, **_needed(metric, maps)))
        for name, metric in wanted.items()
    }
    return replace(plain, values=paired | values)


def _needed(metric: Metric, maps: Sequence[Coordinates | None]) -> dict[str, Sequence[Coordinates | None]]:
    return {"coordinates": maps} if Capture.COORDINATES in metric.spec.needs else {}


def _mark_non_finite(attempts: tuple[Attempt, ...], finite: np.ndarray) -> tuple[Attempt, ...]:
    flags = iter(finite)
    return tuple(
        replace(attempt, status="non_finite", error="the encoder gave NaN or infinity")
        if attempt.status == "ok" and not next(flags)
        else attempt
        for attempt in attempts
    )
