"""Grids of small panels: how many fit in a row, and how many on a page."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from embshift.show.figures.layout.sheets import HIGHEST

__all__ = ["Grid", "make_grid", "split_pages"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Places of panels on a page.

    Attributes:
        columns: Panels in a row.
        rows: Rows on a full page.
        width: Inches from one panel to the next.
        height: Inches from one row to the next.
    """

    columns: int
    rows: int
    width: float
    height: float

    def place(self, at: int) -> tuple[float, float]:
        """Return the left and upper side of a panel, in inches; panels count from 0 on each page."""
        return (at % self.columns) * self.width, (at // self.columns) * self.height

    def body(self, count: int) -> float:
        """Return the inches that a number of panels takes downward on a page."""
        return math.ceil(count / self.columns) * self.height


def make_grid(
    count: int,
    *,
    width: float,
    least: float,
    height: float,
    wide: float = float("inf"),
    high: float = HIGHEST,
) -> Grid:
    """Make a grid with as many panels in a row as fit, in rows as even as possible.

    Args:
        count: Number of panels.
        width: Inches of a row.
        least: Smallest width of a panel in inches.
        height: Inches of a row.
        wide: Largest width of a panel in inches.
        high: Largest height of the panels of a page in inches.
    """
    most = max(1, int(width / least + 1e-9))
    columns = math.ceil(count / math.ceil(count / most))
    across = min(width / columns, wide)
    return Grid(columns=columns, rows=max(1, int(high / height)), width=across, height=height)


def split_pages(items: Sequence[Item], places: Grid) -> Iterator[Sequence[Item]]:
    """Yield the items of each page; every page but the last is full."""
    full = places.columns * places.rows
    for start in range(0, len(items), full):
        yield items[start : start + full]
