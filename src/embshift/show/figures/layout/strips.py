"""Strips: a row of views of one image, below the image's name and the names of the views."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from embshift.show.figures.layout.labels import (
    format_name,
    replace_unprintable,
    shorten_text,
    text_height,
    wrap_text,
)
from embshift.show.figures.layout.sheets import Sheet
from embshift.show.figures.layout.style import SIZES

__all__ = [
    "BETWEEN",
    "GAP",
    "LEAST",
    "add_title",
    "add_view_name",
    "count_lines",
    "split_pages",
    "views_top",
]

GAP, BETWEEN = 0.05, 0.1
"""Inches between images, and between strips."""

LEAST = 0.62
"""Least width of a column of images in inches."""

_HEAD = text_height(1, size=SIZES.label) + 0.03
_LINE = text_height(1, size=SIZES.small)


class _Tall(Protocol):
    @property
    def body(self) -> float:
        """Return the height in inches."""
        ...


_Strip = TypeVar("_Strip", bound=_Tall)


def split_pages(strips: Sequence[_Strip], *, high: float) -> Iterator[list[_Strip]]:
    """Yield the strips of each page, at least one.

    Args:
        strips: All strips, from the top.
        high: Height of a page in inches.
    """
    page, taken = list[_Strip](), 0.0
    for strip in strips:
        if page and taken + strip.body > high:
            yield page
            page, taken = [], 0.0
        page.append(strip)
        taken += strip.body
    yield page


def count_lines(names: Sequence[str], *, width: float) -> int:
    """Return the number of lines that the longest name takes above an image of a width in inches."""
    return max(len(_wrap_name(name, width=width)) for name in names)


def views_top(lines: int) -> float:
    """Return the inches from the top of a strip to its images, under names of so many lines."""
    return _HEAD + lines * _LINE + 0.02


def add_title(sheet: Sheet, top: float, *, row: int, name: str, continued: bool) -> None:
    """Add the image's row and name, shortened to the width of the sheet."""
    title = replace_unprintable(f"image {row} · {name}{', continued' if continued else ''}")
    whole = sheet.figure.get_figwidth() - 0.15
    sheet.text(0, top, shorten_text(title, width=whole, size=SIZES.label, weight="bold"), weight="bold")


def add_view_name(sheet: Sheet, name: str, *, left: float, low: float, width: float) -> None:
    """Add the name of a view just above its image, which begins at ``low``."""
    for line, text in enumerate(reversed(_wrap_name(name, width=width)), start=1):
        sheet.text(left + width / 2, low - 0.02 - line * _LINE, text, ha="center", size=SIZES.small)


def _wrap_name(name: str, *, width: float) -> list[str]:
    return wrap_text(format_name(name), width=width, size=SIZES.small, lines=3)
