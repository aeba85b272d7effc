"""One row a transform over one scale: what the figures of measurements on embeddings have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from embshift.analysis.embeddings.measures import Measured
from embshift.core.errors import FigureError, RunError
from embshift.runs.tables import RunTables
from embshift.show.figures.layout.labels import shown
from embshift.show.figures.layout.style import INK, SIZES, Look, area, looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["Bar", "bars_of", "counted", "draw_bar", "measured", "row_height", "told"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One value of one transform, with its interval."""

    name: str
    look: Look
    value: float
    low: float
    high: float


def measured(material: Material, analyse: Callable[[RunTables], Measured]) -> Measured:
    """A measurement of the run; refused where the run holds no embedding, or too many to compare all.

    Args:
        material: The run.
        analyse: The analysis, e.g. `analyse_retrieval`.

    Raises:
        FigureError: If it cannot be measured.
    """
    material.values  # noqa: B018 - raises where the run holds nothing
    try:
        return analyse(material.run)
    except RunError as error:
        raise FigureError(str(error)) from error


def bars_of(found: Measured, measure: str) -> list[Bar]:
    """Values of one measure in the order of the plan."""
    column, known = found.column(measure), looks(found.transforms)
    sides = (found.estimates.mean, found.estimates.low, found.estimates.high)
    return [
        Bar(name=name, look=known[name], **dict(zip(("value", "low", "high"), ends, strict=True)))
        for name, *ends in zip(found.transforms, *(side[:, column].tolist() for side in sides), strict=True)
    ]


def row_height(bars: Sequence[Bar]) -> float:
    """Inches of a row."""
    return 0.2 if len(bars) <= 12 else 0.155


def draw_bar(axes: Axes, bar: Bar, *, at: int) -> None:
    """A bar with its interval and its number behind it."""
    if np.isnan(bar.value):
        _number(axes, "undefined", 0.0, at=at)
        return
    axes.barh(at, bar.value, height=0.72, **area(bar.look))
    if not np.isnan(bar.low):
        for colour, points in (("white", 2.6), (INK, 1.4)):
            axes.plot([bar.low, bar.high], [at, at], color=colour, linewidth=points, solid_capstyle="butt")
    _number(axes, format_number(bar.value), end(bar), at=at)


def end(bar: Bar) -> float:
    """Where a row's marks end on the right, 0 at least."""
    return max(0.0, *(one for one in (bar.value, bar.high) if not np.isnan(one)), 0.0)


def _number(axes: Axes, text: str, place: float, *, at: int) -> None:
    axes.annotate(text, (place, at), xytext=(3, 0), textcoords="offset points", va="center", size=SIZES.small)


def told(bar: Bar) -> str:
    """A value and its interval in words."""
    ends = "" if np.isnan(bar.low) else f" ({format_number(bar.low)} to {format_number(bar.high)})"
    return f"{shown(bar.name)} {format_number(bar.value)}{ends}"


def counted(material: Material, found: Measured) -> str:
    """How many images stand behind it, by which encoder: the first note."""
    images = f"{found.images:,} image{'' if found.images == 1 else 's'}"
    return f"{images} · encoder {material.encoder}"
