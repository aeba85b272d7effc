"""Values on their way from main memory to a device."""

import torch
from jaxtyping import Shaped

__all__ = ["moved"]


def moved(values: Shaped[torch.Tensor, "..."], *, device: str) -> Shaped[torch.Tensor, "..."]:
    """Values on a device.

    Args:
        values: Wherever they are; what is on the device already stays.
        device: As torch spells it. From main memory to "cuda" they pass through page-locked memory, so that
            the copy is queued and this thread goes on; whatever is computed from them waits for it by itself.
    """
    if not device.startswith("cuda") or values.device.type != "cpu":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
