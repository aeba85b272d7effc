"""EfficientNet-Lite0 up to its 1x1 head, batch norm folded: one vector per position of an image.

It has sixteen inverted bottlenecks with ReLU6 and without squeeze-and-excitation.

References:
    Tan and Le (2019), EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, Table 1.
    Sandler et al. (2018), MobileNetV2: Inverted Residuals and Linear Bottlenecks, section 3.
    The Lite variants: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch.nn import functional

__all__ = [
    "BLOCKS",
    "CHANNELS",
    "HEAD",
    "STEM",
    "STRIDE",
    "Block",
    "Weights",
    "compute_local_vectors",
    "list_convolutions",
]

Weights = Mapping[str, Float[torch.Tensor, "..."]]
"""Folded parameters by name: ``<convolution>.weight`` and ``<convolution>.bias``."""

STRIDE = 32
"""Pixels of the image per position of the grid, in both directions."""

CHANNELS = 1280
"""Length of the vector at each position, after the head's activation."""

STEM = "stem"
HEAD = "head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One inverted bottleneck: widen (1x1), filter each channel (depthwise), narrow (1x1).

    Attributes:
        name: Prefix of its parameters.
        kernel: Side of the depthwise kernel.
        stride: Step of the depthwise kernel.
        expands: Whether it has the widening layer; the first block does not.
        residual: Whether its input is added to its output.
    """

    name: str
    kernel: int
    stride: int
    expands: bool
    residual: bool


# Repeats, kernel, stride of the first repeat; from Table 1 of Tan and Le.
_STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))


def _list_blocks() -> Iterator[Block]:
    index = 0
    for repeats, kernel, stride in _STAGES:
        for repeat in range(repeats):
            yield Block(
                name=f"blocks.{index}",
                kernel=kernel,
                stride=stride if repeat == 0 else 1,
                expands=index > 0,
                # Every stage begins with a change of width, so its first block cannot have a residual.
                residual=repeat > 0,
            )
            index += 1


BLOCKS = tuple(_list_blocks())


def list_convolutions() -> Iterator[str]:
    """Yield the names of the convolutions, in the order in which they are applied."""
    yield STEM
    for block in BLOCKS:
        if block.expands:
            yield f"{block.name}.expand"
        yield f"{block.name}.depthwise"
        yield f"{block.name}.narrow"
    yield HEAD


def compute_local_vectors(
    planes: Float[torch.Tensor, "views 3 height width"], /, *, weights: Weights
) -> Float[torch.Tensor, "views 1280 rows columns"]:
    """Compute the vector at each position of a grid with one position per 32 x 32 pixels.

    Args:
        planes: Normalised images; height and width are multiples of 32.
        weights: Folded parameters, named as in `list_convolutions`, all in the precision of the products.

    Returns:
        Vectors after the head's activation, each value in [0, 6], in the precision of `planes`.
    """
    values = planes.to(weights[f"{STEM}.weight"].dtype)
    values = _apply_relu6(_apply_strided(values, name=STEM, kernel=3, weights=weights))
    for block in BLOCKS:
        values = _apply_bottleneck(values, block=block, weights=weights)
    return _apply_relu6(_apply_pointwise(values, name=HEAD, weights=weights)).to(planes.dtype)


def _apply_bottleneck(
    values: Float[torch.Tensor, "views _ height width"], *, block: Block, weights: Weights
) -> Float[torch.Tensor, "views _ rows columns"]:
    wide = values
    if block.expands:
        wide = _apply_relu6(_apply_pointwise(values, name=f"{block.name}.expand", weights=weights))
    wide = _apply_relu6(_apply_depthwise(wide, block=block, weights=weights))
    narrow = _apply_pointwise(wide, name=f"{block.name}.narrow", weights=weights)
    return narrow.add_(values) if block.residual else narrow


def _apply_pointwise(
    values: Float[torch.Tensor, "views _ height width"], *, name: str, weights: Weights
) -> Float[torch.Tensor, "views _ height width"]:
    return functional.conv2d(values, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _apply_depthwise(
    values: Float[torch.Tensor, "views _ height width"], *, block: Block, weights: Weights
) -> Float[torch.Tensor, "views _ rows columns"]:
    name = f"{block.name}.depthwise"
    groups = values.shape[1]
    if block.stride == 2:
        return _apply_strided(values, name=name, kernel=block.kernel, weights=weights, groups=groups)
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return functional.conv2d(values, weight, bias, padding=block.kernel // 2, groups=groups)


def _apply_strided(
    values: Float[torch.Tensor, "views _ height width"],
    *,
    name: str,
    kernel: int,
    weights: Weights,
    groups: int = 1,
) -> Float[torch.Tensor, "views _ rows columns"]:
    # TensorFlow's "same" padding of an even side at stride 2: kernel - 2 zeros in all, the odd one at the
    # end. Sides stay even down to the last stride because images come in multiples of 32.
    before, after = (kernel - 2) // 2, (kernel - 1) // 2
    padded = functional.pad(values, (before, after, before, after))
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return functional.conv2d(padded, weight, bias, stride=2, groups=groups)


def _apply_relu6(values: Float[torch.Tensor, "..."]) -> Float[torch.Tensor, "..."]:
    return values.clamp_(0.0, 6.0)
