"""Replacement of modules inside a network."""

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["replace_modules"]


def replace_modules(
    network: torch.nn.Module,
    *,
    where: Callable[[torch.nn.Module], bool],
    make: Callable[[Any], torch.nn.Module],
) -> None:
    """Replace some modules, wherever they are inside a network, for good.

    Args:
        network: The network to change; it is never replaced itself.
        where: Whether to replace a module.
        make: Makes the new module from the old one.
    """
    for parent in list(network.modules()):
        for name, module in list(parent.named_children()):
            if where(module):
                setattr(parent, name, make(module))
