"""Parts of a network as the app draws them: a matrix of heads, and the others by name."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

__all__ = ["arrange_shares"]

_HEAD = re.compile(r"(?:head\.(\d+)|(where|pool))\.(\d+)")


def arrange_shares(
    components: Sequence[str], shares: Iterable[float], *, layers: int
) -> tuple[tuple[tuple[float, ...], ...] | None, int, tuple[tuple[str, float], ...]]:
    """Arrange the shares of components: heads by layer, and what is no head.

    Args:
        components: Their names: ``head.L.H``; ``where.H`` are the heads of the last layer, ``pool.H``
            those of a pool after it.
        shares: Their shares.
        layers: Number of layers.

    Returns:
        Rows of heads, NaN where a layer has none, or None without any head; the layer of the first row;
        the others.
    """
    heads, others = dict[tuple[int, int], float](), list[tuple[str, float]]()
    for name, share in zip(components, shares, strict=False):
        found = _HEAD.fullmatch(name)
        if found is None:
            others.append((name, float(share)))
        else:
            layer = int(found[1]) if found[1] else layers - (found[2] == "where")
            heads[layer, int(found[3])] = float(share)
    if not heads:
        return None, 0, tuple(others)
    low, high = min(layer for layer, _ in heads), max(layer for layer, _ in heads)
    across = 1 + max(head for _, head in heads)
    rows = tuple(
        tuple(heads.get((layer, head), np.nan) for head in range(across)) for layer in range(low, high + 1)
    )
    return rows, low, tuple(others)
