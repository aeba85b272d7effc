"""A linkage as a tree of lines: one node a leaf or merge, legs from each merge down to what it joins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from scipy.cluster.hierarchy import leaves_list

from embshift.show.figures.layout.style import INK

__all__ = ["Tree", "laid_out", "tree_lines"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """Where the nodes of a linkage stand: leaves first, then merges, as the linkage matrix numbers them.

    Attributes:
        order: Leaves from the first to the last, as they were numbered.
        along: Place of each node among the leaves: 0 for the first of them, 1 for the next.
        heights: Distance at which each node was merged; 0 for leaves.
        joins: The two nodes that each merge joins.
        leaves: The leaves below each node.
    """

    order: tuple[int, ...]
    along: tuple[float, ...]
    heights: tuple[float, ...]
    joins: tuple[tuple[int, int], ...]
    leaves: tuple[frozenset[int], ...]


def laid_out(tree: Float64[np.ndarray, "merges 4"]) -> Tree:
    """The nodes of a linkage matrix of SciPy; a merge stands midway between what it joins."""
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


def tree_lines(
    axes: Axes, tree: Tree, /, *, lying: bool, colours: Sequence[str] | None = None, width: float = 0.9
) -> None:
    """Draw a tree: leaves along the panel's lower side, or its left side from above where it is lying.

    Args:
        axes: The panel; gets its limits.
        tree: The nodes.
        lying: Whether distance goes to the right, in place of up.
        colours: Of each node and of the leg that leads to it.
        width: Points of the lines.
    """
    inks = list(colours or [INK] * len(tree.along))
    lines, drawn = list[list[tuple[float, float]]](), list[str]()
    for merge, joined in enumerate(tree.joins, start=len(tree.order)):
        height = tree.heights[merge]
        ends = [(tree.along[node], height) for node in joined]
        lines += [
            ends,
            *([(x, tree.heights[node]), (x, y)] for node, (x, y) in zip(joined, ends, strict=True)),
        ]
        drawn += [inks[merge], *(inks[node] for node in joined)]
    if lying:
        lines = [[(y, x) for x, y in line] for line in lines]
    axes.add_collection(LineCollection(lines, colors=drawn, linewidths=width, capstyle="projecting"))
    top, last = 1.05 * max(tree.heights) or 1.0, len(tree.order) - 0.5
    if lying:
        axes.set_xlim(0, top)
        axes.set_ylim(last, -0.5)
    else:
        axes.set_xlim(-0.5, last)
        axes.set_ylim(0, top)
    axes.spines[:].set_visible(False)
