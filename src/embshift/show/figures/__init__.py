"""Figures: one function each, from what a run holds to pages that answer one question.

Never loads torch, and uses matplotlib through its objects alone: no current figure, no global setting stays
changed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from matplotlib.figure import Figure

from embshift.core.registry import Registry
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.material import Material

__all__ = ["FIGURES", "Drawing", "FigureEntry", "figure"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawing:
    """One page of a figure.

    Attributes:
        figure: The page, for matplotlib.
        alt: What it shows, in words and numbers, for whoever cannot see it.
    """

    figure: Figure
    alt: str


DrawFunction: TypeAlias = Callable[[Material, Frame], Iterator[Drawing]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureEntry:
    """A row of ``embshift list figures``, and what draws it.

    Attributes:
        name: Its name on the command line and of its file.
        question: What it answers; stands in its title.
        shows: What is drawn, in one line.
        source: The figure of the paper that it follows.
        needs: What the run must hold beside numbers; empty for nothing.
        draw: ``(material, frame)`` to its pages; raises `FigureError` where the run lacks what it needs.
    """

    name: str
    question: str
    shows: str
    source: str
    needs: str
    draw: DrawFunction


FIGURES: Registry[FigureEntry] = Registry(
    kind="figure", packages=("embshift.show.figures.plots",), group="embshift.figures"
)


def figure(
    *, name: str, question: str, shows: str, source: str, needs: str = ""
) -> Callable[[DrawFunction], DrawFunction]:
    """Register a figure.

    Args:
        name: Its name.
        question: What it answers, ending in a question mark; stands in its title.
        shows: What is drawn, in one line.
        source: The figure of the paper that it follows, or where it comes from.
        needs: What the run must hold beside numbers.

    Returns:
        A decorator that gives the function back unchanged.

    Raises:
        PlanError: The name is taken.
    """

    def register(function: DrawFunction) -> DrawFunction:
        entry = FigureEntry(
            name=name, question=question, shows=shows, source=source, needs=needs, draw=function
        )
        FIGURES.add(name, entry)
        return function

    return register
