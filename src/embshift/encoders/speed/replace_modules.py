"""Modules of a network put in the place of others."""

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["exchange"]


def exchange(
    network: torch.nn.Module,
    *,
    where: Callable[[torch.nn.Module], bool],
    make: Callable[[Any], torch.nn.Module],
) -> None:
    """Put another module in the place of some, wherever they stand inside a network, for good.

    Args:
        network: What is changed; the network itself is not one of them.
        where: Which modules.
        make: What makes the other out of the one.
    """
    for parent in list(network.modules()):
        for name, module in list(parent.named_children()):
            if where(module):
                setattr(parent, name, make(module))
