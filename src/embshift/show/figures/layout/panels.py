"""Many small panels: how many stand in a row, and how many on a page."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from embshift.show.figures.layout.sheets import HIGHEST

__all__ = ["Grid", "by_page", "grid"]

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where panels stand on a page.

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
        """Left and upper side of a panel of the page, from 0."""
        return (at % self.columns) * self.width, (at // self.columns) * self.height

    def body(self, count: int) -> float:
        """Inches that some panels take on a page."""
        return math.ceil(count / self.columns) * self.height


def grid(count: int, *, width: float, least: float, height: float, wide: float = float("inf")) -> Grid:
    """As many panels in a row as there is room for, in rows as even as they can be.

    Args:
        count: Panels.
        width: Inches for a row.
        least: Inches that a panel takes at least.
        height: Inches of a row.
        wide: Inches that a panel takes at most.
    """
    most = max(1, int(width / least + 1e-9))
    columns = math.ceil(count / math.ceil(count / most))
    across = min(width / columns, wide)
    return Grid(columns=columns, rows=max(1, int(HIGHEST / height)), width=across, height=height)


def by_page(items: Sequence[Item], places: Grid) -> Iterator[Sequence[Item]]:
    """The items of each page; a page's last row is filled where it can be."""
    full = places.columns * places.rows
    for start in range(0, len(items), full):
        yield items[start : start + full]
