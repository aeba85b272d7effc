"""Charts with one row a transform: names on the left, one scale below, as high as there are transforms."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from embshift.show.figures.layout.labels import fitted, shown, text_height, text_width, wrapped
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import SIZES, Look

__all__ = [
    "RowChart",
    "height_below",
    "mark",
    "name_width",
    "names_below",
    "names_beside",
    "row_chart",
    "scale_height",
]

_SWATCH = 0.13
"""Inches of a transform's mark beside its name."""

_UPRIGHT = 1.5
"""Inches that an upright name may take."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowChart:
    """A page with one panel, its rows at 0, 1, … from the top.

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


def name_width(names: Sequence[str], *, most: float) -> float:
    """Inches that the names take beside their rows."""
    return min(most, max(text_width(shown(name), size=SIZES.label) for name in names) + 0.02)


def scale_height(label: str, *, width: float) -> float:
    """Inches below a panel that its scale and the scale's label take."""
    return 0.17 + text_height(len(wrapped(label, width=width, size=SIZES.label)), size=SIZES.label)


def row_chart(
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
    """A page with one row a transform.

    Args:
        frame: Title and width.
        names: Names of the rows, from the top.
        label: What the scale below measures, with its unit.
        notes: Below the question.
        row: Inches of a row.
        beside: Inches kept free on the right.
        below: Inches kept free below the scale.
        marks: The look of each row, to stand beside its name where the row itself does not show it.
    """
    gutter = name_width(names, most=0.46 * frame.inner) + (_SWATCH if marks else 0.0) + 0.05
    # The scale's last number stands half beyond the panel.
    width, height = frame.inner - gutter - max(beside, 0.12), row * len(names)
    sheet = open_sheet(frame, body=height + scale_height(label, width=width) + below, notes=notes)
    axes = sheet.axes(gutter, 0, width=width, height=height)
    axes.set_ylim(len(names) - 0.5, -0.5)
    names_beside(axes, names, width=gutter - 0.05, panel=width, marks=marks)
    axes.set_xlabel("\n".join(wrapped(label, width=width, size=SIZES.label)), linespacing=1.05)
    return RowChart(sheet=sheet, axes=axes, width=width, height=height)


def names_beside(
    axes: Axes, names: Sequence[str], *, width: float, panel: float, marks: Sequence[Look] = ()
) -> None:
    """Names on the left of a panel's rows, with their marks.

    Args:
        axes: The panel.
        names: Names of the rows, from 0.
        width: Inches for names and marks.
        panel: Width of the panel in inches.
        marks: The look of each row, where it is to be shown.
    """
    own = width - (_SWATCH if marks else 0.0)
    axes.set_yticks(range(len(names)), [fitted(shown(name), width=own, size=SIZES.label) for name in names])
    axes.tick_params(axis="y", length=0, pad=3 + (72 * _SWATCH if marks else 0))
    for at, look in enumerate(marks):
        axes.plot([-0.09 / panel], [at], transform=axes.get_yaxis_transform(), **mark(look))


def _below(names: Sequence[str], *, column: float) -> tuple[list[str], bool]:
    """Names for below columns: lying in some lines where their words fit, else upright in one."""
    words = [word for name in names for word in shown(name).split(" ")]
    if max(text_width(word, size=SIZES.label) for word in words) <= column - 0.05:
        lines = [wrapped(shown(name), width=column - 0.05, size=SIZES.label) for name in names]
        return ["\n".join(one) for one in lines], False
    return [fitted(shown(name), width=_UPRIGHT, size=SIZES.label) for name in names], True


def height_below(names: Sequence[str], *, column: float) -> float:
    """Inches that the names and marks below columns of some width take."""
    texts, upright = _below(names, column=column)
    if upright:
        return max(text_width(text, size=SIZES.label) for text in texts) + _SWATCH + 0.08
    return text_height(max(text.count("\n") + 1 for text in texts), size=SIZES.label) + _SWATCH + 0.08


def names_below(
    axes: Axes, names: Sequence[str], *, column: float, panel: float, marks: Sequence[Look]
) -> None:
    """Names and marks below a panel's columns.

    Args:
        axes: The panel.
        names: Names of the columns, from 0.
        column: Inches of a column.
        panel: Height of the panel in inches.
        marks: The look of each column.
    """
    texts, upright = _below(names, column=column)
    axes.set_xticks(range(len(names)), texts, rotation=90 if upright else 0, linespacing=1.05)
    axes.tick_params(axis="x", length=0, pad=3 + 72 * _SWATCH)
    for at, look in enumerate(marks):
        axes.plot([at], [-0.09 / panel], transform=axes.get_xaxis_transform(), **mark(look))


def mark(look: Look) -> dict[str, Any]:
    """A transform's mark beside its name, for `Axes.plot`."""
    return {
        "marker": look.marker,
        "markersize": 3.8,
        "color": look.colour,
        "markeredgecolor": look.edge,
        "markeredgewidth": 0.5,
        "linestyle": "none",
        "clip_on": False,
    }
