"""Text that fits: measured before it is drawn, broken where it may be, shortened where it must be."""

from functools import lru_cache

from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.textpath import text_to_path

__all__ = ["LINE", "fitted", "printable", "shown", "text_height", "text_width", "wrapped"]

LINE = 1.22
"""Height of a line of text, in its size."""

_POINTS = 72.0


@lru_cache(maxsize=16)
def _font(size: float, weight: str) -> FontProperties:
    return FontProperties(family="DejaVu Sans", size=size, weight=weight)


def text_width(text: str, *, size: float, weight: str = "normal") -> float:
    """Width of one line in inches, at a size in points."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, _font(size, weight), ismath=False)
    return width / _POINTS


def text_height(lines: int, *, size: float) -> float:
    """Height of some lines in inches, at a size in points."""
    return lines * size * LINE / _POINTS


@lru_cache(maxsize=1)
def _characters() -> frozenset[int]:
    path = fontManager.findfont(_font(10.0, "normal"))
    return frozenset(get_font(path).get_charmap())


def printable(text: str) -> str:
    """The text with U+FFFD for what the font lacks: names of encoders and files may hold anything."""
    return "".join(one if ord(one) in _characters() and ord(one) >= 32 else "\ufffd" for one in text)


def shown(name: str) -> str:
    """A name for readers: spaces for underscores, so that it may be broken."""
    return name.replace("_", " ")


def fitted(text: str, *, width: float, size: float, weight: str = "normal") -> str:
    """The text, its middle left out as far as it is wider than some inches; both ends tell names apart."""
    if text_width(text, size=size, weight=weight) <= width:
        return text
    for kept in range(len(text) - 1, 0, -1):
        short = f"{text[: (kept + 1) // 2].rstrip()}…{text[len(text) - kept // 2 :].lstrip()}"
        if text_width(short, size=size, weight=weight) <= width:
            return short
    return "…"


def wrapped(
    text: str, *, width: float, size: float, lines: int | None = None, weight: str = "normal"
) -> list[str]:
    """The text broken at spaces into lines of some inches; what is beyond the last line is left out.

    Args:
        text: One line.
        width: Inches.
        size: Points.
        lines: Lines at most; as many as it takes where None.
        weight: Weight of the font.
    """
    found = [""]
    for word in text.split(" "):  # and not at spaces that must not be broken
        longer = f"{found[-1]} {word}".strip()
        if not found[-1] or text_width(longer, size=size, weight=weight) <= width:
            found[-1] = longer
        else:
            found.append(word)
    if lines is not None and len(found) > lines:
        found[lines - 1 :] = [" ".join(found[lines - 1 :])]
    return [fitted(line, width=width, size=size, weight=weight) for line in found]
