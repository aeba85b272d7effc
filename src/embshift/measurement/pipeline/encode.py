"""Encode: views become embeddings and maps, through batches of one constant shape."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64

from embshift.core.encoding import Encoder, Encoding, concatenate
from embshift.core.types import Capture, Coordinates, FrozenRow
from embshift.images import Decoded
from embshift.measurement.pipeline.batches import Batches, Mishaps
from embshift.measurement.pipeline.perturb import Attempt, Perturbed

__all__ = ["Encoded", "encode_views", "without_pixels"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """An image with the encodings of its views.

    Attributes:
        listed: Its row of the listing.
        decoded: What was read.
        attempts: As in `Perturbed`.
        values: As in `Perturbed`.
        coordinates: As in `Perturbed`.
        encoding: Of the attempts that succeeded, in their order; None for an image without views.
        lacking: Which of these have no embedding, but NaN in its place; None where all have one.
    """

    listed: FrozenRow
    decoded: Decoded
    attempts: tuple[Attempt, ...] = ()
    values: Mapping[str, Float64[np.ndarray, " rows"]]
    coordinates: Sequence[Coordinates | None] = ()
    encoding: Encoding | None = None
    lacking: Bool[np.ndarray, " views"] | None = None


def encode_views(
    stream: Iterable[Perturbed],
    /,
    *,
    encoder: Encoder,
    batch: int,
    capture: Capture,
    open_float32: Callable[[], Encoder] | None = None,
    mishaps: Mishaps | None = None,
) -> Iterator[list[Encoded]]:
    """Encode the views of images, in order.

    A row's last bits depend on the shape of its batch but not on its neighbours, so the last batch is padded
    and never smaller. What a metric needs is captured only where the image is in the metric sample.

    Args:
        stream: Images with their views, which are copied before the next image is taken.
        encoder: The encoder.
        batch: Views in every batch; halved where it does not fit into memory.
        capture: What the metrics of the sample need.
        open_float32: Opens the same encoder in float32, for views whose embedding is not finite; None where
            the encoder runs in float32.
        mishaps: Counted up.

    Yields:
        As many images at once as a batch completes.

    Raises:
        EncoderError: If a batch of one view does not fit into memory.
    """
    batches = Batches(
        encoder, size=batch, capture=capture, open_float32=open_float32, mishaps=mishaps or Mishaps()
    )
    waiting, done = list[_Waiting](), list[Encoding]()
    for perturbed in stream:
        views = perturbed.pixels if perturbed.held is None else perturbed.held
        count = 0 if perturbed.pixels is None else len(perturbed.pixels)
        waiting.append((without_pixels(perturbed), count))
        encodings = [] if views is None else batches.add(views, sampled=perturbed.listed.sampled)
        if encodings or not count:
            ready, done, waiting = _take_ready(waiting, done + encodings)
            if ready:
                yield ready
    ready, _, _ = _take_ready(waiting, done + batches.finish())
    if ready:
        yield ready


_Waiting = tuple[Encoded, int]  # an image whose encoding is still to come, and the number of its views


def without_pixels(perturbed: Perturbed, /) -> Encoded:
    """Return an image that is still to be encoded, without the pixels of its views."""
    return Encoded(
        listed=perturbed.listed,
        decoded=perturbed.decoded,
        attempts=perturbed.attempts,
        values=perturbed.values,
        coordinates=perturbed.coordinates,
    )


def _take_ready(
    waiting: list[_Waiting], done: list[Encoding]
) -> tuple[list[Encoded], list[Encoding], list[_Waiting]]:
    """Return the images whose views are all encoded, and what is left over."""
    ready, encoded = list[Encoded](), sum(map(len, done))
    for position, (image, count) in enumerate(waiting):
        if count > encoded:
            return ready, done, waiting[position:]
        own, done = _split(done, count)
        encoded -= count
        ready.append(replace(image, encoding=concatenate(own) if own else None))
    return ready, done, []


def _split(parts: list[Encoding], count: int) -> tuple[list[Encoding], list[Encoding]]:
    """Return the first views and the others; batches stay apart, since they may hold different captures."""
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
