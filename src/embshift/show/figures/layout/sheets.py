"""A page laid out in inches: question and notes on top, panels below, nothing left to chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from embshift.show.figures.layout.labels import printable, text_height, wrapped
from embshift.show.figures.layout.style import GREY, SIZES

__all__ = ["HIGHEST", "MARGIN", "Frame", "Sheet", "open_sheet"]

MARGIN = 0.06
"""Inches left free at every side."""

HIGHEST = 8.0
"""Inches of panels on a page where there are more than fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every figure is asked for.

    Attributes:
        title: The question that it answers.
        width: Inches.
        pictures: How many pictures to show, where pictures are shown.
    """

    title: str
    width: float
    pictures: int = 4

    @property
    def inner(self) -> float:
        """Inches between the margins."""
        return self.width - 2 * MARGIN


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sheet:
    """A page; places are inches from the left margin and from the top of its body.

    Attributes:
        figure: The page.
        head: Inches above the body.
    """

    figure: Figure
    head: float

    def _at(self, left: float, top: float) -> tuple[float, float]:
        width, height = self.figure.get_size_inches()
        return (left + MARGIN) / width, 1 - (self.head + top) / height

    def axes(self, left: float, top: float, *, width: float, height: float, **options: Any) -> Axes:
        """A panel."""
        whole_width, whole_height = self.figure.get_size_inches()
        x, y = self._at(left, top + height)
        return self.figure.add_axes((x, y, width / whole_width, height / whole_height), **options)

    def canvas(self) -> Axes:
        """A panel under all of the body, measured in the same inches: many pictures cost one panel."""
        width, height = self.figure.get_size_inches()
        axes = self.axes(0, 0, width=width - 2 * MARGIN, height=height - self.head - MARGIN)
        axes.set_xlim(0, width - 2 * MARGIN)
        axes.set_ylim(height - self.head - MARGIN, 0)
        axes.axis("off")
        return axes

    def text(self, left: float, top: float, text: str, **options: Any) -> None:
        """Text with its upper left corner at a place, unless options say otherwise."""
        x, y = self._at(left, top)
        asked: dict[str, Any] = {"va": "top", "size": SIZES.label} | options
        self.figure.text(x, y, text, **asked)


def open_sheet(frame: Frame, *, body: float, notes: Sequence[str]) -> Sheet:
    """A page with its question and notes, of the height that they and the body take.

    Args:
        frame: Title and width.
        body: Inches below the notes.
        notes: Paragraphs below the question: what is drawn, over how many images, by which encoder.
    """
    title = wrapped(frame.title, width=frame.inner, size=SIZES.title, weight="bold")
    lines = [line for note in notes for line in wrapped(printable(note), width=frame.inner, size=SIZES.note)]
    upper = MARGIN + text_height(len(title), size=SIZES.title)
    head = upper + 0.03 + text_height(len(lines), size=SIZES.note) + 0.08
    figure = Figure(figsize=(frame.width, head + body + MARGIN))
    FigureCanvasAgg(figure)
    sheet = Sheet(figure=figure, head=head)
    sheet.text(0, MARGIN - head, "\n".join(title), size=SIZES.title, weight="bold", linespacing=1.1)
    sheet.text(0, upper + 0.03 - head, "\n".join(lines), size=SIZES.note, color=GREY, linespacing=1.1)
    return sheet
