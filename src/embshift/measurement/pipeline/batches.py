"""Batches of views of one constant shape, on their way to the encoder."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from embshift.core.device_copy import copy_to_host, record_event
from embshift.core.encoding import AnyViews, Encoder, Encoding, concatenate
from embshift.core.errors import EncoderError
from embshift.core.types import Capture

__all__ = ["Batches", "Mishaps", "is_no_memory"]

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
"""Messages of libraries that have no error class for it."""


@dataclass(slots=True, kw_only=True)
class Mishaps:
    """What went wrong in batches so far; counted up while they are encoded.

    Attributes:
        batch: Views in a batch since one did not fit into memory; None where all fitted.
        float32: Views that were encoded in float32, since the run's precision gave NaN or infinity.
        may_halve: Whether a batch that does not fit into memory is halved; otherwise it is an error.
    """

    batch: int | None = None
    float32: int = 0
    may_halve: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Flight:
    """A batch that has been handed to the encoder.

    Attributes:
        views: Its views, without padding.
        capture: What was asked for.
        encoding: Their encoding, in main memory once `wait` was called.
        wait: Waits until it is there.
    """

    views: AnyViews
    capture: Capture
    encoding: Encoding
    wait: Callable[[], None]


@final
class Batches:
    """A batch that is being filled; on a GPU another is encoded meanwhile.

    Args:
        encoder: The encoder.
        size: Views in every batch; halved from there on where one does not fit into memory.
        capture: What the metrics of the sample need.
        open_float32: Opens the same encoder in float32; None where it runs in float32.
        mishaps: Counted up.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        size: int,
        capture: Capture,
        open_float32: Callable[[], Encoder] | None,
        mishaps: Mishaps,
    ) -> None:
        self._encoder, self._size, self._capture, self._mishaps = encoder, size, capture, mishaps
        self._open_float32, self._float32 = open_float32, None
        self._ahead = 1 if encoder.spec.device.startswith("cuda") else 0
        self._flying = deque[_Flight]()
        self._views: Any = None  # an array, or a tensor on a device, as the views are
        self._count, self._sampled = 0, False

    def add(self, pixels: AnyViews, /, *, sampled: bool) -> list[Encoding]:
        """Copy views into the batch, and return the encodings that are done by now, in order."""
        done, start = list[Encoding](), 0
        while start < len(pixels):
            if self._views is None:
                self._views = _allocate(self._size, pixels, device=self._encoder.spec.device)
            part = pixels[start : start + len(self._views) - self._count]
            self._views[self._count : self._count + len(part)] = _match(part, self._views)
            self._count += len(part)
            self._sampled |= sampled
            start += len(part)
            if self._count == len(self._views):
                done += self._launch()
        return done

    def finish(self) -> list[Encoding]:
        """Encode what has been added, and return the remaining encodings, in order."""
        done = self._launch() if self._count else []
        return done + self._collect(ahead=0)

    def _launch(self) -> list[Encoding]:
        wanted = self._capture if self._sampled else Capture.EMBEDDING
        self._flying += self._start(self._encoder, self._views[: self._count], wanted | Capture.EMBEDDING)
        # A batch that is being encoded keeps its memory; the next one gets its own.
        self._views = None if self._ahead or self._size != len(self._views) else self._views
        self._count, self._sampled = 0, False
        return self._collect(ahead=self._ahead)

    def _collect(self, *, ahead: int) -> list[Encoding]:
        """Return the encodings of all but the last batches."""
        done = list[Encoding]()
        while len(self._flying) > ahead:
            done.append(self._retry_non_finite(self._flying.popleft()))
        return done

    def _start(self, encoder: Encoder, views: AnyViews, capture: Capture) -> list[_Flight]:
        """Hand the views to the encoder in batches that fit into memory."""
        flights, done = list[_Flight](), 0
        while done < len(views):
            part = views[done : done + self._size]
            encoding = _encode(encoder, part, capture, size=self._size)
            if encoding is None:
                self._halve()
                continue
            wait = record_event(encoder.spec.device)
            flights.append(_Flight(views=part, capture=capture, encoding=encoding, wait=wait))
            done += len(part)
        return flights

    def _retry_non_finite(self, flight: _Flight) -> Encoding:
        """Return the encoding, with what is not finite encoded once more in float32."""
        flight.wait()
        made = flight.encoding
        if self._open_float32 is None:
            return made
        finite = torch.isfinite(made.embedding).all(dim=1)
        if finite.all():
            return made
        self._float32 = self._float32 or self._open_float32()
        others = list[Encoding]()
        for again in self._start(self._float32, flight.views, flight.capture):
            again.wait()
            others.append(again.encoding)
        self._mishaps.float32 += int((~finite).sum())
        rows = torch.where(finite, 0, len(made)) + torch.arange(len(made))
        return concatenate([made, *others]).select(rows.tolist())

    def _halve(self) -> None:
        device = self._encoder.spec.device
        if self._size == 1:
            raise EncoderError(
                f"the memory of {device} cannot hold a batch of one view; free some memory, or use another"
                " --device"
            )
        if not self._mishaps.may_halve:
            raise EncoderError(
                f"the memory of {device} cannot hold a batch of {self._size} views, and in a run of parts all"
                f" have the same batch; prepare the run with --batch {math.ceil(self._size / 2)}"
            )
        self._size = math.ceil(self._size / 2)
        self._mishaps.batch = self._size
        if device.startswith("cuda"):
            torch.cuda.empty_cache()


def _allocate(size: int, views: AnyViews, *, device: str) -> Any:
    """Allocate memory for a batch where its views are; page-locked where a GPU will fetch them."""
    shape = (size, *views.shape[1:])
    if isinstance(views, torch.Tensor):
        return torch.empty(shape, dtype=torch.uint8, device=views.device)
    if device.startswith("cuda"):
        return torch.empty(shape, dtype=torch.uint8, pin_memory=True)
    return np.empty(shape, np.uint8)


def _match(views: AnyViews, room: Any) -> Any:
    return torch.as_tensor(views) if isinstance(room, torch.Tensor) else views


def _pad(views: AnyViews, size: int) -> Any:
    """Fill a batch by repeating its last view."""
    missing = size - len(views)
    if not missing:
        return views
    if isinstance(views, torch.Tensor):
        return torch.cat([views, views[-1:].expand(missing, *views.shape[1:])])
    return np.concatenate([views, np.repeat(views[-1:], missing, axis=0)])


def _encode(encoder: Encoder, views: AnyViews, capture: Capture, *, size: int) -> Encoding | None:
    """Encode a batch, padded to its size; None where it does not fit into memory."""
    padded = _pad(views, size)
    try:
        encoding = encoder.encode(padded, capture=capture)
        if len(encoding) != len(padded):
            # Fewer rows would end the run early, without an error and without the other images.
            raise EncoderError(
                f"encoder '{encoder.spec.name}' returned {len(encoding)} embeddings for {len(padded)} views;"
                " expected one for each"
            )
        return encoding.between(0, len(views)).each(copy_to_host)
    except Exception as error:
        if not is_no_memory(error):
            raise
    # Outside the handler: while it is handled, the error keeps the batch's memory alive.
    return None


def is_no_memory(error: Exception) -> bool:
    """Return whether an error says that the memory of a device does not suffice."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _NO_MEMORY)
