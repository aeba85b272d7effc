"""Half precision where it pays: the products of the blocks, and nothing that adds up or comes out.

What a block multiplies is rounded to the half format; what it adds to, the residual stream, and norms,
positions, pooling heads and projections stay in float32, and so do embedding and attention row. Rounding the
residual stream as well doubles the error of cosine and quadruples that of L2, and saves nothing.
"""

import re
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float

__all__ = ["DTYPES", "halve", "single"]

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
"""Number formats by name."""

_INSIDE = re.compile(r"(^|\.)(layers?\.\d+|embeddings)\.")
"""Names of what is inside a block or cuts the image into patches."""


def halve(network: torch.nn.Module, *, precision: str, keep: torch.nn.Module | None = None) -> None:
    """Let a network's products be computed in half precision, for good; float32 changes nothing.

    Args:
        network: A network of the transformers library, with float32 weights.
        precision: A key of `DTYPES`.
        keep: The pooling head, which stays as it is: it reads its weights without calling its parts.
    """
    dtype = DTYPES[precision]
    kept = set() if keep is None else set(keep.modules())
    for name, module in network.named_modules():
        if dtype is torch.float32 or module in kept or not _INSIDE.search(name):
            continue
        if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
            module.to(dtype).register_forward_pre_hook(_rounding(dtype))


def _rounding(dtype: torch.dtype) -> Callable[..., Any]:
    def hook(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        return tuple(values.to(dtype) for values in inputs)

    return hook


def single(values: Float[torch.Tensor, "..."], /) -> Float[torch.Tensor, "..."]:
    """Half precision as float32; anything wider as it is."""
    return values.float() if values.dtype.itemsize < torch.float32.itemsize else values
