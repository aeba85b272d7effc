"""Values on their way between main memory and a device, without this thread waiting for them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Shaped

__all__ = ["open_second_queue", "copy_to_host", "record_event", "copy_to_device"]


def copy_to_device(values: Shaped[torch.Tensor, "..."], *, device: str) -> Shaped[torch.Tensor, "..."]:
    """Values on a device.

    Args:
        values: Wherever they are; what is on the device already stays.
        device: As torch spells it. From main memory to "cuda" they pass through page-locked memory, so that
            the copy is queued and this thread goes on; whatever is computed from them waits for it by itself.
    """
    if not device.startswith("cuda") or values.device.type != "cpu":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def copy_to_host(values: Shaped[torch.Tensor, "..."], /) -> Shaped[torch.Tensor, "..."]:
    """Values in main memory; from "cuda" the copy is queued, and is done when a `marked` was waited for."""
    if values.device.type != "cuda":
        return values.cpu()
    there = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    return there.copy_(values, non_blocking=True)


def record_event(device: str) -> Callable[[], None]:
    """What waits until all that has been queued so far is done; other threads go on meanwhile.

    Args:
        device: As torch spells it; on one without a queue there is nothing to wait for.
    """
    if not device.startswith("cuda"):
        return lambda: None
    event = torch.cuda.Event(blocking=True)  # gives its core away instead of asking again and again
    event.record()
    return event.synchronize


def open_second_queue(device: str) -> Callable[[], AbstractContextManager[object]]:
    """A second queue of a device: what is queued within it goes on beside the first, in its own order.

    Args:
        device: As torch spells it; one without queues does everything at once.
    """
    if not device.startswith("cuda"):
        return nullcontext
    queue = torch.cuda.Stream(device)
    return lambda: torch.cuda.stream(queue)
