"""Charts with one row for each transform: names on the left, one scale below."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from embshift.show.figures.layout.labels import format_name, shorten_text, text_height, text_width, wrap_text
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import SIZES, Look

__all__ = [
    "SWATCH",
    "RowChart",
    "add_names_below",
    "add_names_beside",
    "fit_row",
    "marker_style",
    "name_width",
    "names_height",
    "open_row_chart",
    "scale_height",
]

SWATCH = 0.13
"""Inches of the mark that stands beside a transform's name."""

_ROWS, _LEAST_ROW = 7.2, 0.108
"""Inches of rows that fit a page beside its notes, and the least height of a row: that of its name."""

_UPRIGHT = 1.5
"""Largest length of an upright name in inches."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowChart:
    """A page with one panel; its rows are at 0, 1, … from the top.

    Attributes:
        sheet: The page.
        axes: The panel.
        width: Inches of the panel.
        height: Inches of the panel.
    """

    sheet: Sheet
    axes: Axes
    width: float
    height: float


def fit_row(wanted: float, *, count: int, below: float = 0.0) -> float:
    """Return the height of a row in inches with which all rows fit a page; up to 60 do.

    Args:
        wanted: Inches of a row where there is room.
        count: Number of rows.
        below: Inches of a list below them.
    """
    return min(wanted, max((_ROWS - below) / count, _LEAST_ROW))


def name_width(names: Sequence[str], *, most: float) -> float:
    """Return the inches that the names take beside their rows."""
    return min(most, max(text_width(format_name(name), size=SIZES.label) for name in names) + 0.02)


def scale_height(label: str, *, width: float) -> float:
    """Return the inches that a panel's scale and its label take below the panel."""
    return 0.17 + text_height(len(wrap_text(label, width=width, size=SIZES.label)), size=SIZES.label)


def open_row_chart(
    frame: Frame,
    *,
    names: Sequence[str],
    label: str,
    notes: Sequence[str],
    row: float,
    beside: float = 0.0,
    below: float = 0.0,
    marks: Sequence[Look] = (),
) -> RowChart:
    """Open a page with one row for each transform.

    Args:
        frame: Title and width.
        names: Names of the rows, from the top.
        label: Label of the scale below, with its unit.
        notes: Paragraphs below the question.
        row: Inches of a row; less where they would not fit a page.
        beside: Inches to keep free on the right.
        below: Inches to keep free below the scale.
        marks: The look of each row, as a mark beside its name; empty where the row itself shows it.
    """
    gutter = name_width(names, most=0.46 * frame.inner) + (SWATCH if marks else 0.0) + 0.05
    # Half of the last number of the scale stands beyond the panel.
    width = frame.inner - gutter - max(beside, 0.12)
    height = fit_row(row, count=len(names), below=below) * len(names)
    sheet = open_sheet(frame, body=height + scale_height(label, width=width) + below, notes=notes)
    axes = sheet.axes(gutter, 0, width=width, height=height)
    axes.set_ylim(len(names) - 0.5, -0.5)
    add_names_beside(axes, names, width=gutter - 0.05, panel=width, marks=marks)
    axes.set_xlabel("\n".join(wrap_text(label, width=width, size=SIZES.label)), linespacing=1.05)
    return RowChart(sheet=sheet, axes=axes, width=width, height=height)


def add_names_beside(
    axes: Axes, names: Sequence[str], *, width: float, panel: float, marks: Sequence[Look] = ()
) -> None:
    """Add names and marks on the left of a panel's rows.

    Args:
        axes: The panel.
        names: Names of the rows, from 0.
        width: Inches for names and marks.
        panel: Width of the panel in inches.
        marks: The look of each row; empty for no marks.
    """
    own = width - (SWATCH if marks else 0.0)
    axes.set_yticks(
        range(len(names)), [shorten_text(format_name(name), width=own, size=SIZES.label) for name in names]
    )
    axes.tick_params(axis="y", length=0, pad=3 + (72 * SWATCH if marks else 0))
    for at, look in enumerate(marks):
        axes.plot([-0.09 / panel], [at], transform=axes.get_yaxis_transform(), **marker_style(look))


def _arrange_names(names: Sequence[str], *, column: float) -> tuple[list[str], bool]:
    """Return the names below columns, and whether they are upright: only where their words are too wide."""
    words = [word for name in names for word in format_name(name).split(" ")]
    if max(text_width(word, size=SIZES.label) for word in words) <= column - 0.05:
        lines = [wrap_text(format_name(name), width=column - 0.05, size=SIZES.label) for name in names]
        return ["\n".join(one) for one in lines], False
    return [shorten_text(format_name(name), width=_UPRIGHT, size=SIZES.label) for name in names], True


def names_height(names: Sequence[str], *, column: float) -> float:
    """Return the inches that names and marks take below columns of a width."""
    texts, upright = _arrange_names(names, column=column)
    if upright:
        return max(text_width(text, size=SIZES.label) for text in texts) + SWATCH + 0.08
    return text_height(max(text.count("\n") + 1 for text in texts), size=SIZES.label) + SWATCH + 0.08


def add_names_below(
    axes: Axes, names: Sequence[str], *, column: float, panel: float, marks: Sequence[Look]
) -> None:
    """Add names and marks below a panel's columns.

    Args:
        axes: The panel.
        names: Names of the columns, from 0.
        column: Inches of a column.
        panel: Height of the panel in inches.
        marks: The look of each column.
    """
    texts, upright = _arrange_names(names, column=column)
    axes.set_xticks(range(len(names)), texts, rotation=90 if upright else 0, linespacing=1.05)
    axes.tick_params(axis="x", length=0, pad=3 + 72 * SWATCH)
    for at, look in enumerate(marks):
        axes.plot([at], [-0.09 / panel], transform=axes.get_xaxis_transform(), **marker_style(look))


def marker_style(look: Look) -> dict[str, Any]:
    """Return the options of `Axes.plot` for the mark beside a transform's name."""
    return {
        "marker": look.marker,
        "markersize": 3.8,
        "color": look.colour,
        "markeredgecolor": look.edge,
        "markeredgewidth": 0.5,
        "linestyle": "none",
        "clip_on": False,
    }
