"""Pages laid out in inches: question and notes on top, panels below."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from embshift.show.figures.layout.labels import replace_unprintable, text_height, wrap_text
from embshift.show.figures.layout.style import GREY, SIZES

__all__ = ["HIGHEST", "MARGIN", "Frame", "Sheet", "open_sheet"]

MARGIN = 0.06
"""Inches of margin on every side."""

HIGHEST = 8.0
"""Largest height of a page's panels in inches; more panels go on to the next page."""

_TALLEST = 1.2
"""Largest height of a page's panels, relative to the width: a column of a journal is no whole page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Options of a figure.

    Attributes:
        title: The question that the figure answers.
        width: Inches.
        pictures: Number of images to show, in figures that show images.
        plain: Whether title and notes are left out, for a caption in their place.
        more_shift: Which way on the page a transform shifts more; empty where no direction says so.
    """

    title: str
    width: float
    pictures: int = 4
    plain: bool = False
    more_shift: str = ""

    @property
    def inner(self) -> float:
        """Inches of width between the margins."""
        return self.width - 2 * MARGIN

    @property
    def highest(self) -> float:
        """Largest height of the panels in inches."""
        return min(HIGHEST, _TALLEST * self.width)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """A page; places are in inches from the left margin and from the top of the body.

    Attributes:
        figure: The page.
        head: Inches of title and notes above the body.
    """

    figure: Figure
    head: float

    def _at(self, left: float, top: float) -> tuple[float, float]:
        width, height = self.figure.get_size_inches()
        return (left + MARGIN) / width, 1 - (self.head + top) / height

    def axes(self, left: float, top: float, *, width: float, height: float, **options: Any) -> Axes:
        """Add a panel."""
        whole_width, whole_height = self.figure.get_size_inches()
        x, y = self._at(left, top + height)
        return self.figure.add_axes((x, y, width / whole_width, height / whole_height), **options)

    def canvas(self) -> Axes:
        """Add one panel under the whole body, in the same inches, so that many images share it."""
        width, height = self.figure.get_size_inches()
        axes = self.axes(0, 0, width=width - 2 * MARGIN, height=height - self.head - MARGIN)
        axes.set_xlim(0, width - 2 * MARGIN)
        axes.set_ylim(height - self.head - MARGIN, 0)
        axes.axis("off")
        return axes

    def text(self, left: float, top: float, text: str, **options: Any) -> None:
        """Add text with its upper left corner at a place, unless options say otherwise."""
        x, y = self._at(left, top)
        asked: dict[str, Any] = {"va": "top", "size": SIZES.label} | options
        self.figure.text(x, y, text, **asked)


def open_sheet(frame: Frame, *, body: float, notes: Sequence[str]) -> Sheet:
    """Open a page with its question and notes; its height is what these and the body take.

    Args:
        frame: Title and width; a plain frame has neither title nor notes.
        body: Inches below the notes.
        notes: Paragraphs below the question: what is shown, of how many images, by which encoder.
    """
    if frame.plain:
        return _open_plain(frame, body=body)
    title = wrap_text(frame.title, width=frame.inner, size=SIZES.title, weight="bold")
    lines = [
        line
        for note in _add_direction(frame, notes)
        for line in wrap_text(replace_unprintable(note), width=frame.inner, size=SIZES.note)
    ]
    upper = MARGIN + text_height(len(title), size=SIZES.title)
    head = upper + 0.03 + text_height(len(lines), size=SIZES.note) + 0.08
    figure = Figure(figsize=(frame.width, head + body + MARGIN))
    FigureCanvasAgg(figure)
    sheet = Sheet(figure=figure, head=head)
    sheet.text(0, MARGIN - head, "\n".join(title), size=SIZES.title, weight="bold", linespacing=1.1)
    sheet.text(0, upper + 0.03 - head, "\n".join(lines), size=SIZES.note, color=GREY, linespacing=1.1)
    return sheet


def _add_direction(frame: Frame, notes: Sequence[str]) -> list[str]:
    """Return the notes with the direction of more shift behind the first, where it rarely takes a line."""
    if not frame.more_shift:
        return list(notes)
    first = " · ".join([*notes[:1], f"more shift: {frame.more_shift}"])
    return [first, *notes[1:]]


def _open_plain(frame: Frame, *, body: float) -> Sheet:
    head = MARGIN + text_height(1, size=SIZES.small) / 2  # numbers of a scale may rise above the body
    figure = Figure(figsize=(frame.width, head + body + MARGIN))
    FigureCanvasAgg(figure)
    return Sheet(figure=figure, head=head)
