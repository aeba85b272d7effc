"""Copies between main memory and a device that do not block the calling thread."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Shaped

__all__ = ["copy_to_device", "copy_to_host", "open_second_queue", "record_event"]


def copy_to_device(values: Shaped[torch.Tensor, "..."], *, device: str) -> Shaped[torch.Tensor, "..."]:
    """Copy values to a device; values already there are returned as they are.

    Args:
        values: A tensor on any device.
        device: As torch spells it. Copies from main memory to "cuda" pass through page-locked memory: the
            copy is queued, this thread goes on, and later work on the device waits for the copy by
            itself.
    """
    if not device.startswith("cuda") or values.device.type != "cpu":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def copy_to_host(values: Shaped[torch.Tensor, "..."], /) -> Shaped[torch.Tensor, "..."]:
    """Copy values to main memory; from "cuda" the copy is only queued: wait with `record_event`."""
    if values.device.type != "cuda":
        return values.cpu()
    there = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return there.copy_(values, non_blocking=True)


def record_event(device: str) -> Callable[[], None]:
    """Return a function that waits until all work queued so far is done; other threads go on meanwhile.

    Args:
        device: As torch spells it; on a device without a queue the function returns at once.
    """
    if not device.startswith("cuda"):
        return lambda: None
    event = torch.cuda.Event(blocking=True)  # sleeps while it waits instead of polling
    event.record()
    return event.synchronize


def open_second_queue(device: str) -> Callable[[], AbstractContextManager[object]]:
    """Return a context in which work is queued on a second stream of a device, beside the first.

    Args:
        device: As torch spells it; on a device without queues the context does nothing.
    """
    if not device.startswith("cuda"):
        return nullcontext
    queue = torch.cuda.Stream(device)
    return lambda: torch.cuda.stream(queue)
