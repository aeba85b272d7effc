"""The line in one screen: perturb → encode → compare → rows. Pure: what goes in decides what comes out.

`perturb_image` runs in worker processes and knows no encoder; `encode_views` runs beside the weights;
`compare_views` turns encodings into values. The one set of views serves every metric.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from embshift.batching import Batches, Mishaps
from embshift.encoding import Encoder, Encoding, concatenate
from embshift.images import Decoded
from embshift.metrics import Metric
from embshift.perturbing import Attempt, Item, Perturbed, Recipe, perturb_image
from embshift.types import Capture, Coordinates

__all__ = [
    "Attempt",
    "Compared",
    "Item",
    "Mishaps",
    "Perturbed",
    "Recipe",
    "compare_views",
    "encode_views",
    "perturb_image",
]


def encode_views(
    stream: Iterable[Perturbed],
    /,
    *,
    encoder: Encoder,
    batch: int,
    capture: Capture,
    plain: Callable[[], Encoder] | None = None,
    mishaps: Mishaps | None = None,
) -> Iterator[tuple[Perturbed, Encoding | None]]:
    """Each picture with the encoding of its views, in order, through batches of one constant shape.

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
        The pictures as they came, without their pixels; None beside those without views.
    """
    batches = Batches(encoder, size=batch, capture=capture, plain=plain, mishaps=mishaps or Mishaps())
    waiting, done = list[_Waiting](), list[Encoding]()
    for perturbed in stream:
        pixels = () if perturbed.pixels is None else perturbed.pixels
        if perturbed.held is not None:
            pixels = perturbed.held
        waiting.append((replace(perturbed, pixels=None, held=None), len(pixels)))
        for view in pixels:
            done += batches.add(view, sampled=perturbed.item.sampled)
        ready, done, waiting = _settle(waiting, done)
        yield from ready
    ready, _, _ = _settle(waiting, done + batches.flush())
    yield from ready


_Waiting = tuple[Perturbed, int]  # with the number of its views
_Settled = list[tuple[Perturbed, Encoding | None]]


def _settle(waiting: list[_Waiting], done: list[Encoding]) -> tuple[_Settled, list[Encoding], list[_Waiting]]:
    """The pictures whose views are all encoded, and what is left over."""
    ready: _Settled = []
    for position, (perturbed, count) in enumerate(waiting):
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
