"""The device that an encoder runs on, and the precision of its convolutions there."""

import contextlib

import torch

from embshift.core.errors import EncoderError

__all__ = ["choose_device", "keep_full_precision"]


def choose_device(device: str) -> str:
    """Return the device that a name stands for.

    Args:
        device: "auto" for the first available of cuda, mps and cpu, else a device as torch spells it.

    Raises:
        EncoderError: Torch does not know the device, or the device is not available.
    """
    if device == "auto":
        return _find_first()
    try:
        # Only using a device shows whether it is available.
        return str(torch.zeros(1, device=device).device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise EncoderError(
            f"device '{device}' cannot be used ({str(error).splitlines()[0]}); "
            f"use auto, which is {_find_first()} here, or cpu"
        ) from error


def _find_first() -> str:
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def keep_full_precision(device: str) -> contextlib.AbstractContextManager[None]:
    """Return a context in which float32 convolutions keep full precision and do not time their algorithms."""
    # By default, convolutions on CUDA use only 10 bits of mantissa, and may choose their algorithm by timing,
    # which differs from run to run.
    if not device.startswith("cuda"):
        return contextlib.nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
