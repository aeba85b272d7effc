"""The bundled encoder's weight file: its digest is checked, and its values are read as float32."""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load

from embshift.core.errors import WeightsError
from embshift.encoders.lite.trunk import Weights

__all__ = ["DIGEST", "PATH", "read_weights"]

PATH = Path(__file__).parent / "data" / "lite.safetensors"
"""The weight file, in half precision, as ``training/make_lite_weights.py`` writes it."""

DIGEST = "9230e716db734fe9441958d5749cd247d0819c458849e5813fc5d75a72d3977a"
"""SHA-256 of the file that belongs to this version of embshift."""

_REMEDY = "run: pip install --force-reinstall --no-deps embshift"


def read_weights(path: Path = PATH, /, *, device: str) -> Weights:
    """Read the folded parameters and the projection, in float32, convolution kernels with channels last.

    Args:
        path: The weight file.
        device: The device to copy them to, as torch spells it.

    Raises:
        WeightsError: The file is missing or not the one that belongs to this version.
    """
    return {name: _place(values, device=device) for name, values in load(_read_content(path)).items()}


def _read_content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"the weights of encoder 'lite' cannot be read from {path} ({error.strerror}); "
            f"expected the file that embshift installs; {_REMEDY}"
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != DIGEST:
        raise WeightsError(
            f"the weights of encoder 'lite' at {path} have SHA-256 {digest} ({len(content)} bytes); "
            f"expected {DIGEST}; {_REMEDY}"
        )
    return content


def _place(values: torch.Tensor, *, device: str) -> torch.Tensor:
    layout = torch.channels_last if values.ndim == 4 else torch.contiguous_format
    return values.to(device=device, dtype=torch.float32).contiguous(memory_format=layout)
