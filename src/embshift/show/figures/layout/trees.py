"""Trees of a linkage: a node for each leaf and merge, and lines from each merge to the nodes it joins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from scipy.cluster.hierarchy import leaves_list

from embshift.show.figures.layout.style import INK

__all__ = ["Tree", "add_tree", "lay_out_tree"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Places of the nodes of a linkage: leaves first, then merges, as the linkage matrix numbers them.

    Attributes:
        order: Numbers of the leaves, in the order in which they stand side by side.
        along: Place of each node along the row of leaves: 0 is the first leaf, 1 the next.
        heights: Distance at which each node merges two others; 0 for leaves.
        joins: The two nodes that each merge joins.
        leaves: The leaves below each node.
    """

    order: tuple[int, ...]
    along: tuple[float, ...]
    heights: tuple[float, ...]
    joins: tuple[tuple[int, int], ...]
    leaves: tuple[frozenset[int], ...]


def lay_out_tree(tree: Float64[np.ndarray, "merges 4"]) -> Tree:
    """Place the nodes of a SciPy linkage matrix; a merge stands midway between the nodes it joins."""
    order = leaves_list(tree).tolist()
    along = [float(order.index(leaf)) for leaf in range(len(order))]
    heights, leaves = [0.0] * len(order), [frozenset([leaf]) for leaf in range(len(order))]
    joins = [(int(one), int(other)) for one, other in tree[:, :2].tolist()]
    for (one, other), height in zip(joins, tree[:, 2].tolist(), strict=True):
        along.append((along[one] + along[other]) / 2)
        heights.append(height)
        leaves.append(leaves[one] | leaves[other])
    return Tree(
        order=tuple(order),
        along=tuple(along),
        heights=tuple(heights),
        joins=tuple(joins),
        leaves=tuple(leaves),
    )


def add_tree(
    axes: Axes, tree: Tree, /, *, lying: bool, colours: Sequence[str] | None = None, width: float = 0.9
) -> None:
    """Add a tree: its leaves run along the lower side of the panel, or down its left side if it is lying.

    Args:
        axes: The panel, whose limits are set.
        tree: Places of the nodes.
        lying: Whether distance increases to the right instead of upward.
        colours: Colour of each node and of the line that leads to it.
        width: Width of the lines in points.
    """
    inks = list(colours or [INK] * len(tree.along))
    lines, inked = list[list[tuple[float, float]]](), list[str]()
    for merge, joined in enumerate(tree.joins, start=len(tree.order)):
        height = tree.heights[merge]
        ends = [(tree.along[node], height) for node in joined]
        lines += [
            ends,
            *([(x, tree.heights[node]), (x, y)] for node, (x, y) in zip(joined, ends, strict=True)),
        ]
        inked += [inks[merge], *(inks[node] for node in joined)]
    if lying:
        lines = [[(y, x) for x, y in line] for line in lines]
    axes.add_collection(LineCollection(lines, colors=inked, linewidths=width, capstyle="projecting"))
    top, last = 1.05 * max(tree.heights) or 1.0, len(tree.order) - 0.5
    if lying:
        axes.set_xlim(0, top)
        axes.set_ylim(last, -0.5)
    else:
        axes.set_xlim(-0.5, last)
        axes.set_ylim(0, top)
    axes.spines[:].set_visible(False)
