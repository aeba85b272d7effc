"""Places of a network's components: layers down, heads across, everything else in rows of its own below."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from embshift.show.figures.layout.label_boxes import Box
from embshift.show.figures.layout.labels import format_name, text_height
from embshift.show.figures.layout.style import SIZES

__all__ = ["NetworkGrid", "count_columns", "lay_out_network"]

_GAP = 0.3
"""Gap before the column of MLPs and the rows below the layers, relative to a cell."""

_HIGHEST = 0.17
"""Largest height of a cell in inches."""

_ROW = text_height(1, size=SIZES.small) + 0.005
"""Least distance of labelled rows in inches."""

_CLEAR = 0.2
"""Least distance of a column's number from the label of the MLPs, in inches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkGrid:
    """Cells of a network's components, in inches from the grid's upper left corner, downward.

    Attributes:
        cells: The cell of each component, in the order given; ``low`` is its upper side.
        rows: Middle and label of the rows that have a label.
        columns: Middle and label of the columns that have a label.
        width: Inches across.
        height: Inches down.
    """

    cells: tuple[Box, ...]
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Row and column of a component; rows below the layers are named."""

    row: int | str
    column: int


def _place(component: str) -> _Place:
    """Place one component; a column of −1 is that of the MLPs."""
    if found := re.fullmatch(r"head\.(\d+)\.(\d+)", component):
        return _Place(row=int(found[1]), column=int(found[2]))
    if found := re.fullmatch(r"mlp\.(\d+)", component):
        return _Place(row=int(found[1]), column=-1)
    if found := re.fullmatch(r"(\w+)\.(\d+)", component):
        return _Place(row=found[1], column=int(found[2]))
    return _Place(row=component, column=0)


def count_columns(components: Sequence[str]) -> float:
    """Return the width of the components' grid, in cells."""
    places = [_place(one) for one in components]
    layered = any(place.column < 0 for place in places)
    return max(place.column for place in places) + 1 + (1 + _GAP if layered else 0)


def lay_out_network(components: Sequence[str], *, cell: float) -> NetworkGrid:
    """Lay out the components: ``head.L.H`` in row L and column H, ``mlp.L`` last in row L, others below.

    Components with one number, such as ``where.H``, share a row; the number is the column.

    Args:
        components: Names of the components.
        cell: Width of a cell in inches.
    """
    places = [_place(one) for one in components]
    up = min(cell, _HIGHEST)
    layers = 1 + max((place.row for place in places if isinstance(place.row, int)), default=-1)
    others = list(dict.fromkeys(place.row for place in places if isinstance(place.row, str)))
    columns = 1 + max(place.column for place in places)
    start = max(up * (layers + _GAP), up * (layers - 1) + _ROW) if layers else 0.0
    step = max(up, _ROW)
    tops: dict[int | str, float] = {layer: layer * up for layer in range(layers)}
    tops |= {name: start + at * step for at, name in enumerate(others)}
    lefts = {at: at * cell for at in range(columns)} | {-1: (columns + _GAP) * cell}
    cells = [Box(left=lefts[place.column], low=tops[place.row], width=cell, height=up) for place in places]
    layered = any(place.column < 0 for place in places)
    return NetworkGrid(
        cells=tuple(cells),
        rows=tuple(
            (tops[row] + up / 2, format_name(str(row))) for row in (*_choose_ticks(layers, up), *others)
        ),
        columns=_label_columns(columns, cell, last=lefts[-1] + cell / 2 if layered else None),
        width=max(box.left + box.width for box in cells),
        height=max(box.low + box.height for box in cells),
    )


def _label_columns(columns: int, cell: float, *, last: float | None) -> tuple[tuple[float, str], ...]:
    """Return middle and label of columns; ``last`` is the middle of the MLPs, None where there are none."""
    found = [((at + 0.5) * cell, str(at)) for at in _choose_ticks(columns, cell)]
    if last is None:
        return tuple(found)
    return (*(one for one in found if last - one[0] >= _CLEAR), (last, "MLP"))


def _choose_ticks(count: int, step: float) -> list[int]:
    """Return which of a number of rows or columns have a label: all of them, or three."""
    if count <= 3 or step >= 0.15:
        return list(range(count))
    return [0, count // 2, count - 1] if step * (count - 1 - count // 2) >= 2 * _ROW else [0, count - 1]
