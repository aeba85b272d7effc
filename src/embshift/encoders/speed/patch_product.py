"""Patches cut out and multiplied, where a GPU would be slow at the convolution that says the same.

Libraries have fast convolutions for many channels; an image has three.
"""

from typing import Any, final

import torch
from jaxtyping import Float

from embshift.encoders.speed.replace_modules import exchange

__all__ = ["PatchProduct", "multiply_patches"]


@final
class PatchProduct(torch.nn.Linear):
    """What a convolution does whose patches touch without overlapping, as one matrix product.

    Args:
        convolution: Takes its weights; its stride is its kernel's size.
    """

    def __init__(self, convolution: torch.nn.Conv2d) -> None:
        weight, bias = convolution.weight, convolution.bias
        super().__init__(
            weight[0].numel(), len(weight), bias=bias is not None, device=weight.device, dtype=weight.dtype
        )
        self.weight = torch.nn.Parameter(weight.detach().flatten(1), requires_grad=False)
        if bias is not None:
            self.bias = torch.nn.Parameter(bias.detach(), requires_grad=False)
        self.sides = convolution.kernel_size

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, pixels: Float[torch.Tensor, "views channels height width"]
    ) -> Float[torch.Tensor, "views width_of_token rows columns"]:
        """The projection of every patch; what is left over at the right and below is dropped."""
        (high, wide), (views, channels, height, width) = self.sides, pixels.shape
        rows, columns = height // high, width // wide
        inner = pixels[:, :, : rows * high, : columns * wide]
        cut = inner.reshape(views, channels, rows, high, columns, wide).permute(0, 2, 4, 1, 3, 5)
        return super().forward(cut.reshape(views, rows, columns, -1)).permute(0, 3, 1, 2)


def multiply_patches(network: torch.nn.Module) -> None:
    """Put a `PatchProduct` in the place of every convolution that cuts an image into patches, for good."""
    exchange(network, where=_cuts_patches, make=PatchProduct)


def _cuts_patches(convolution: torch.nn.Module) -> bool:
    if not isinstance(convolution, torch.nn.Conv2d):
        return False
    plain: tuple[Any, ...] = ((0, 0), (1, 1), 1)
    found = (convolution.padding, convolution.dilation, convolution.groups)
    return convolution.stride == convolution.kernel_size and found in (plain, ("valid", (1, 1), 1))
