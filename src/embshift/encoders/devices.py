"""Which device an encoder runs on."""

import torch

from embshift.errors import EncoderError

__all__ = ["choose_device"]


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
