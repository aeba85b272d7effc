"""Rows of transforms over one scale, shared by the figures of measurements on embeddings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from embshift.analysis.embeddings.measures import Measured
from embshift.core.errors import FigureError, RunError
from embshift.core.words import count_noun
from embshift.runs.tables import RunTables
from embshift.show.figures.layout.labels import format_name
from embshift.show.figures.layout.style import INK, SIZES, Look, area_style, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["Bar", "add_bar", "analyse_run", "format_bar", "format_sample", "make_bars", "row_height"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Value of one transform, with its interval."""

    name: str
    look: Look
    value: float
    low: float
    high: float


def analyse_run(material: Material, analyse: Callable[[RunTables], Measured]) -> Measured:
    """Analyse a run, or refuse it where it holds no embeddings, or too many to compare all of them.

    Args:
        material: The run.
        analyse: The analysis, e.g. `analyse_retrieval`.

    Raises:
        FigureError: If the run cannot be analysed.
    """
    material.values  # noqa: B018 - raises where the run holds no values
    try:
        return analyse(material.run)
    except RunError as error:
        raise FigureError(str(error)) from error


def make_bars(found: Measured, measure: str) -> list[Bar]:
    """Return the values of one measure, in the order of the plan."""
    column, known = found.column(measure), assign_looks(found.transforms)
    sides = (found.estimates.mean, found.estimates.low, found.estimates.high)
    return [
        Bar(name=name, look=known[name], **dict(zip(("value", "low", "high"), ends, strict=True)))
        for name, *ends in zip(found.transforms, *(side[:, column].tolist() for side in sides), strict=True)
    ]


def row_height(bars: Sequence[Bar]) -> float:
    """Return the inches of a row."""
    return 0.2 if len(bars) <= 12 else 0.155


def add_bar(axes: Axes, bar: Bar, *, at: int) -> None:
    """Add a bar with its interval and, to its right, its number."""
    if np.isnan(bar.value):
        _add_number(axes, "undefined", 0.0, at=at)
        return
    axes.barh(at, bar.value, height=0.72, **area_style(bar.look))
    if not np.isnan(bar.low):
        for colour, points in (("white", 2.6), (INK, 1.4)):
            axes.plot([bar.low, bar.high], [at, at], color=colour, linewidth=points, solid_capstyle="butt")
    _add_number(axes, format_number(bar.value), bar_end(bar), at=at)


def bar_end(bar: Bar) -> float:
    """Return where a row's marks end on the right; 0 or more."""
    return max(0.0, *(one for one in (bar.value, bar.high) if not np.isnan(one)), 0.0)


def _add_number(axes: Axes, text: str, place: float, *, at: int) -> None:
    axes.annotate(text, (place, at), xytext=(3, 0), textcoords="offset points", va="center", size=SIZES.small)


def format_bar(bar: Bar) -> str:
    """Format a transform's name, value and interval."""
    ends = "" if np.isnan(bar.low) else f" ({format_number(bar.low)} to {format_number(bar.high)})"
    return f"{format_name(bar.name)} {format_number(bar.value)}{ends}"


def format_sample(material: Material, found: Measured) -> str:
    """Format the number of images and the encoder: "12 images · encoder lite"."""
    images = count_noun(found.images, "image")
    return f"{images} · encoder {material.encoder}"
