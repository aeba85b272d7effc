"""Text that fits: measured before it is placed, wrapped, and shortened where it is too long."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.textpath import text_to_path

__all__ = [
    "LINE",
    "format_name",
    "replace_unprintable",
    "shorten_text",
    "text_height",
    "text_width",
    "wrap_text",
]

LINE = 1.22
"""Height of a line of text, relative to its size."""

_POINTS = 72.0
_GENERIC = ("serif", "sans-serif", "monospace", "cursive", "fantasy")

_WIDEST = 4
"""No character is wider than this many times its size."""


def _families() -> tuple[str, ...]:
    """Return the fonts of the figure, which a style sheet may have chosen."""
    return tuple(mpl.rcParams["font.family"])


@lru_cache(maxsize=32)
def _font(families: tuple[str, ...], size: float, weight: str) -> FontProperties:
    return FontProperties(family=list(families), size=size, weight=weight)


def text_width(text: str, *, size: float, weight: str = "normal") -> float:
    """Return the width of one line in inches, at a size in points."""
    settings = cast("Mapping[str, Any]", mpl.rcParams)
    generic = tuple(tuple(settings[f"font.{name}"]) for name in _GENERIC)
    return _measure(text, _families(), size, weight, generic)


@lru_cache(maxsize=20_000)
def _measure(
    text: str, families: tuple[str, ...], size: float, weight: str, generic: tuple[tuple[str, ...], ...]
) -> float:
    """Measure a text; figures ask for the same names and words again and again, a millisecond each."""
    del generic  # what generic families stand for, which a style sheet may change
    font = _font(families, size, weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return width / _POINTS


def text_height(lines: int, *, size: float) -> float:
    """Return the height of a number of lines in inches, at a size in points."""
    return lines * size * LINE / _POINTS


@lru_cache(maxsize=8)
def _characters(families: tuple[str, ...]) -> frozenset[int]:
    paths = [fontManager.findfont(_font((family,), 10.0, "normal")) for family in families]
    return frozenset(one for path in paths for one in get_font(path).get_charmap())


def replace_unprintable(text: str) -> str:
    """Replace characters that the font lacks by U+FFFD; names of encoders and files may contain any."""
    known = _characters(_families())
    return "".join(one if ord(one) in known and ord(one) >= 32 else "\ufffd" for one in text)


def format_name(name: str) -> str:
    """Format a name for readers: with spaces for underscores, so that it can be wrapped."""
    return name.replace("_", " ")


def shorten_text(text: str, *, width: float, size: float, weight: str = "normal") -> str:
    """Shorten a text to a width in inches by leaving out its middle; both ends distinguish names."""
    if text_width(text, size=size, weight=weight) <= width:
        return text
    kept = len(text) - 1
    while kept > 0:
        short = f"{text[: (kept + 1) // 2].rstrip()}…{text[len(text) - kept // 2 :].lstrip()}"
        over = text_width(short, size=size, weight=weight) - width
        if over <= 0:
            return short
        # No character is wider than a few heights of a line, so that many fewer cannot be too few.
        kept -= max(1, int(over / (_WIDEST * size / _POINTS)))
    return "…"


def wrap_text(
    text: str, *, width: float, size: float, lines: int | None = None, weight: str = "normal"
) -> list[str]:
    """Wrap a text at spaces into lines of a width; the last line is shortened where the text is too long.

    Args:
        text: One line.
        width: Inches.
        size: Points.
        lines: Largest number of lines; unlimited where None.
        weight: Weight of the font.
    """
    found = [""]
    for word in text.split(" "):  # not at non-breaking spaces
        longer = f"{found[-1]} {word}".strip()
        if not found[-1] or text_width(longer, size=size, weight=weight) <= width:
            found[-1] = longer
        else:
            found.append(word)
    if lines is not None and len(found) > lines:
        found[lines - 1 :] = [" ".join(found[lines - 1 :])]
    return [shorten_text(line, width=width, size=size, weight=weight) for line in found]
