"""Which device an encoder runs on, and with how many digits it may compute."""

import contextlib

import torch

from embshift.core.errors import EncoderError

__all__ = ["choose_device", "full_precision"]


def choose_device(device: str) -> str:
    """The device meant by a name.

    Args:
        device: "auto" for the first of cuda, mps and cpu that is there, else as torch spells it.

    Raises:
        EncoderError: Torch does not know the device, or it is not there.
    """
    if device == "auto":
        return _first()
    try:
        # Only using it tells whether it is there.
        return str(torch.zeros(1, device=device).device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise EncoderError(
            f"device '{device}' cannot be used ({str(error).splitlines()[0]}); "
            f"use auto, which is {_first()} here, or cpu"
        ) from error


def _first() -> str:
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def full_precision(device: str) -> contextlib.AbstractContextManager[None]:
    """Within it, float32 convolutions keep all their digits, and choose their algorithm by no timing."""
    # Convolutions on CUDA drop to 10 bits of mantissa unless told otherwise, and may pick their algorithm by
    # timing, which differs from run to run.
    if not device.startswith("cuda"):
        return contextlib.nullcontext()
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
