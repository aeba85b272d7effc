"""CLIP's activation in its input's own memory, where the library's writes three times as much anew.

On a CPU, whose cores wait for memory that the system hands out page by page, it took an eighth of a pass.
"""

from collections.abc import Iterator
from typing import final

import torch
from jaxtyping import Float

from embshift.encoders.speed.replace_modules import exchange

__all__ = ["QuickGelu", "quicken"]

_SHARE = 1 << 15
"""Values of which torch gives a thread no fewer; and what is read twice stays in the core's cache."""


@final
class QuickGelu(torch.nn.Module):
    r"""$x \, \sigma(1.702 \, x)$ in place, with the library's rounding.

    References:
        Hendrycks and Gimpel (2016), Gaussian Error Linear Units, section 2.
    """

    def forward(self, values: Float[torch.Tensor, "..."], /) -> Float[torch.Tensor, "..."]:
        """The activated values, in the memory of those given; they must be contiguous."""
        for piece in _pieces(values.view(-1)):
            piece.mul_((piece * 1.702).sigmoid_())
        return values


def _pieces(values: Float[torch.Tensor, " values"]) -> Iterator[Float[torch.Tensor, " values"]]:
    # Torch rounds the end of a thread's share otherwise, unless it fills the registers. Here every share but
    # the last is one or two of `_SHARE`, so that with any number of threads, and a width that is a multiple
    # of 16, no value's last bit depends on its place in the batch.
    at_once, count = _SHARE * torch.get_num_threads(), len(values)
    doubled, even = count - count % (2 * at_once), count - count % _SHARE
    yield from values[:doubled].split(2 * at_once)
    yield from values[doubled:even].split(at_once)
    yield values[even:]


def quicken(network: torch.nn.Module) -> None:
    """Put a `QuickGelu` in the place of every such activation, for good.

    Args:
        network: A network of the transformers library in which nothing else reads what is activated.
    """
    from transformers.activations import QuickGELUActivation

    exchange(
        network,
        where=lambda module: isinstance(module, QuickGELUActivation),
        make=lambda _: QuickGelu(),
    )
