"""A matrix product of patches in place of an equivalent convolution, which is slow on a GPU.

Libraries have fast convolutions for many channels, but an image has only three.
"""

from typing import Any, final

import torch
from jaxtyping import Float

from embshift.encoders.speed.replacement import replace_modules

__all__ = ["PatchProduct", "multiply_patches"]


@final
class PatchProduct(torch.nn.Linear):
    """A convolution over adjacent patches that do not overlap, as one matrix product.

    Args:
        convolution: Supplies the weights; its stride equals its kernel's size.
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
        """Return the projection of every patch; the remainder at the right and the bottom is dropped."""
        (high, wide), (views, channels, height, width) = self.sides, pixels.shape
        rows, columns = height // high, width // wide
        inner = pixels[:, :, : rows * high, : columns * wide]
        cut = inner.reshape(views, channels, rows, high, columns, wide).permute(0, 2, 4, 1, 3, 5)
        return super().forward(cut.reshape(views, rows, columns, -1)).permute(0, 3, 1, 2)


def multiply_patches(network: torch.nn.Module) -> None:
    """Replace every convolution that cuts an image into patches by a `PatchProduct`, for good."""
    replace_modules(network, where=_is_patch_convolution, make=PatchProduct)


def _is_patch_convolution(convolution: torch.nn.Module) -> bool:
    if not isinstance(convolution, torch.nn.Conv2d):
        return False
    plain: tuple[Any, ...] = ((0, 0), (1, 1), 1)
    found = (convolution.padding, convolution.dilation, convolution.groups)
    return convolution.stride == convolution.kernel_size and found in (plain, ("valid", (1, 1), 1))
