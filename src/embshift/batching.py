"""Views on their way to the encoder, in batches of one shape; what a batch may run into is met here."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch

from embshift.encoding import Encoder, Encoding, Shown, concatenate
from embshift.errors import EncoderError
from embshift.types import Capture, Pixels

__all__ = ["Batches", "Mishaps"]

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
"""What libraries say that raise no error of its own for it."""


@dataclass(slots=True, kw_only=True)
class Mishaps:
    """What batches ran into so far; counted up while they are encoded.

    Attributes:
        batch: Views in a batch since one did not fit into memory; None where all did.
        plain: Views that were encoded in float32, since the run's precision gave NaN or infinity.
    """

    batch: int | None = None
    plain: int = 0


@final
class Batches:
    """One batch that is being filled, held open.

    Args:
        encoder: The encoder.
        size: Views in every batch. Where one does not fit into memory, it is halved from there on.
        capture: What the metrics of the sample need.
        plain: Opens the same encoder in float32; None where it is.
        mishaps: Counted up.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        size: int,
        capture: Capture,
        plain: Callable[[], Encoder] | None,
        mishaps: Mishaps,
    ) -> None:
        self._encoder, self._size, self._capture, self._mishaps = encoder, size, capture, mishaps
        self._open_plain, self._plain = plain, None
        self._views: Any = None  # of what kind the views are: an array, or a tensor on a device
        self._count, self._sampled = 0, False

    def add(self, pixels: Pixels | torch.Tensor, /, *, sampled: bool) -> list[Encoding]:
        """Copy one view into the batch, where it is; gives encodings where that has filled it."""
        if self._views is None:
            self._views = _room(self._size, pixels)
        self._views[self._count] = pixels
        self._count += 1
        self._sampled |= sampled
        return self.flush() if self._count == len(self._views) else []

    def flush(self) -> list[Encoding]:
        """Encode what has been added, in order."""
        if self._views is None or not self._count:
            return []
        wanted = self._capture if self._sampled else Capture.EMBEDDING
        views, done, parts = self._views[: self._count], 0, list[Encoding]()
        while done < len(views):
            part = self._finite(views[done : done + self._size], wanted | Capture.EMBEDDING)
            if part is None:
                self._halve()
            else:
                parts.append(part)
                done += len(part)
        self._views = self._views if self._size == len(self._views) else None
        self._count, self._sampled = 0, False
        return parts

    def _finite(self, views: Shown, capture: Capture) -> Encoding | None:
        """The encoding; what is not finite in it is tried once more in float32. None for want of memory."""
        made = _encode(self._encoder, views, capture, size=self._size)
        if made is None or self._open_plain is None:
            return made
        finite = torch.isfinite(made.embedding).all(dim=1)
        if finite.all():
            return made
        self._plain = self._plain or self._open_plain()
        other = _encode(self._plain, views, capture, size=self._size)
        if other is None:
            return None
        self._mishaps.plain += int((~finite).sum())
        rows = torch.where(finite, 0, len(made)) + torch.arange(len(made))
        return concatenate([made, other]).select(rows.tolist())

    def _halve(self) -> None:
        device = self._encoder.spec.device
        if self._size == 1:
            raise EncoderError(
                f"the memory of {device} does not hold a batch of one view; free some of it, or take another"
                " --device"
            )
        self._size = math.ceil(self._size / 2)
        self._mishaps.batch = self._size
        if device.startswith("cuda"):
            torch.cuda.empty_cache()


def _room(size: int, view: Pixels | torch.Tensor) -> Any:
    """Memory for a batch of such views, where they are."""
    shape = (size, *view.shape)
    if isinstance(view, torch.Tensor):
        return torch.empty(shape, dtype=torch.uint8, device=view.device)
    return np.empty(shape, np.uint8)


def _padded(views: Shown, size: int) -> Any:
    """A batch that is full, by repeats of its last view."""
    missing = size - len(views)
    if not missing:
        return views
    if isinstance(views, torch.Tensor):
        return torch.cat([views, views[-1:].expand(missing, *views.shape[1:])])
    return np.concatenate([views, np.repeat(views[-1:], missing, axis=0)])


def _encode(encoder: Encoder, views: Shown, capture: Capture, *, size: int) -> Encoding | None:
    """The encoding of a batch that is padded to its size; None where memory does not hold it."""
    real = len(views)
    try:
        return encoder.encode(_padded(views, size), capture=capture).to_cpu().select(range(real))
    except Exception as error:
        if not _is_no_memory(error):
            raise
    # Outside the handler: while it is handled, the error holds what the batch had taken.
    return None


def _is_no_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _NO_MEMORY)
