"""Figures: one function for each, which renders a run as pages that answer one question.

The package never loads torch. It uses matplotlib through its objects alone: no current figure, and no global
setting stays changed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from matplotlib.figure import Figure

from embshift.core.registry import Registry
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.material import Material

__all__ = ["FIGURES", "FigureEntry", "Page", "figure"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Page:
    """One page of a figure.

    Attributes:
        figure: The matplotlib figure of the page.
        alt: Alt text: what the page shows, in words and numbers.
    """

    figure: Figure
    alt: str


RenderFunction: TypeAlias = Callable[[Material, Frame], Iterator[Page]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureEntry:
    """A row of ``embshift list figures``, with the function that renders the figure.

    Attributes:
        name: Name on the command line and of the file.
        question: The question that the figure answers; its title.
        shows: What the figure shows, in one line.
        source: The figure of the paper that it follows.
        more_shift: Which way on the page a transform shifts more; empty where no direction says so.
        needs: What the run must hold besides metrics; empty for nothing.
        needs_metrics: Names of the metrics that the run must hold; empty for none.
        needs_performance: Number of performance metrics that the run must hold at least.
        needs_explanation: Whether the run must have been explained, with ``embshift explain``.
        render: Takes ``(material, frame)`` and yields the pages; raises `FigureError` where the run lacks
            what the figure needs.
    """

    name: str
    question: str
    shows: str
    source: str
    more_shift: str
    needs: str
    needs_metrics: tuple[str, ...]
    needs_performance: int
    needs_explanation: bool
    render: RenderFunction


FIGURES: Registry[FigureEntry] = Registry(
    kind="figure", packages=("embshift.show.figures.plots",), group="embshift.figures"
)


def figure(
    *,
    name: str,
    question: str,
    shows: str,
    source: str,
    needs_metrics: Sequence[str],
    needs_performance: int = 0,
    needs_explanation: bool = False,
    needs: str = "",
    more_shift: str = "",
) -> Callable[[RenderFunction], RenderFunction]:
    """Register a figure.

    Args:
        name: Name of the figure.
        question: The question that the figure answers, with its question mark; the title.
        shows: What the figure shows, in one line.
        source: The figure of the paper that it follows, or where it comes from.
        needs_metrics: Names of the metrics that the run must hold; an empty tuple for none.
        needs_performance: Number of performance metrics that the run must hold at least, whichever they are.
        needs_explanation: Whether the run must have been explained, with ``embshift explain``.
        needs: What the run must hold besides metrics.
        more_shift: Which way on the page a transform shifts more, e.g. "right" or "dark"; the page says so.
            Distances grow to the right and upward; similarities end in 1, like the original, so they fall to
            the left and downward; heat maps are dark.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        PlanError: If the name is taken.
    """

    def register(function: RenderFunction) -> RenderFunction:
        entry = FigureEntry(
            name=name,
            question=question,
            shows=shows,
            source=source,
            more_shift=more_shift,
            needs=needs,
            needs_metrics=tuple(needs_metrics),
            needs_performance=needs_performance,
            needs_explanation=needs_explanation,
            render=function,
        )
        FIGURES.add(name, entry)
        return function

    return register
