"""S16: every metric's bars in the order of the plan, each beside its own name, with the metric's average."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes

from embshift.show.figures import Drawing, figure
from embshift.show.figures.layout.bars import lowest, scale_from, similarity_bar
from embshift.show.figures.layout.labels import shown, text_width
from embshift.show.figures.layout.panels import by_page, grid
from embshift.show.figures.layout.rows import name_width, names_beside
from embshift.show.figures.layout.sheets import Frame, open_sheet
from embshift.show.figures.layout.style import INK, SIZES, Look, looks
from embshift.show.figures.material import Material
from embshift.show.text.names import join_names
from embshift.show.text.numbers import format_number
from embshift.show.text.summary import short_name

__all__ = ["comparison"]

_HEAD, _FOOT, _GAP = 0.28, 0.24, 0.1
"""Inches above, below and between panels."""


@figure(
    name="comparison",
    question="Which transforms lie above and below each metric's average?",
    shows="bars of every metric in the order of the plan, with the average over transforms",
    source="Fig. 8b, 4c",
)
def comparison(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """One panel a metric; all share the names on the left, so that no bar can stand at another's name."""
    means, names = material.means(), material.run.transforms
    metrics = [short_name(spec.name) for spec in material.performance]
    height = len(names) * (0.19 if len(names) <= 12 else 0.14)
    gutter = name_width(names, most=0.46 * frame.inner) + 0.05
    least = max(text_width(name, size=SIZES.label) for name in metrics) + _GAP + 0.04
    places = grid(len(metrics), width=frame.inner - gutter, least=least, height=_HEAD + _FOOT + height)
    notes = [
        material.counted([spec.name for spec in material.performance]),
        "bar: mean over images, a pure number; 1: like the original, higher is closer · dashed line, and"
        " number above: average over transforms",
        material.mapped(),
    ]
    marks = list(looks(names).values())
    for page in by_page(range(len(metrics)), places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=[note for note in notes if note])
        for at, metric in enumerate(page):
            left, top = places.place(at)
            width = places.width - _GAP
            axes = sheet.axes(gutter + left, top + _HEAD, width=width, height=height)
            axes.set_ylim(len(names) - 0.5, -0.5)
            own = names if at % places.columns == 0 else [""] * len(names)
            names_beside(axes, own, width=gutter - 0.05, panel=width)
            average = _average(means[:, metric])
            axes.set_title(f"{metrics[metric]}\n{format_number(average)}", fontsize=SIZES.label, pad=3)
            _bars(axes, means[:, metric], marks=marks, width=width)
        yield Drawing(figure=sheet.figure, alt=_alt(material, [metrics[at] for at in page], means[:, page]))


def _average(column: Float64[np.ndarray, " transforms"]) -> float:
    """Over the transforms with a value."""
    defined = column[~np.isnan(column)]
    return float(defined.mean()) if len(defined) else float("nan")


def _bars(
    axes: Axes, column: Float64[np.ndarray, " transforms"], *, marks: Sequence[Look], width: float
) -> None:
    scale_from(axes, lowest(column))
    average = _average(column)
    if not np.isnan(average):
        axes.axvline(average, color=INK, linewidth=0.8, linestyle=(0, (3, 1.5)), zorder=2.5)
    for at, (value, look) in enumerate(zip(column.tolist(), marks, strict=True)):
        similarity_bar(axes, value, at=at, look=look, width=width)


def _alt(material: Material, metrics: Sequence[str], means: Float64[np.ndarray, "transforms metrics"]) -> str:
    told = [f"{name} {_sides(material, column)}" for name, column in zip(metrics, means.T, strict=True)]
    return f"Bars of each transform's mean for every metric. {'. '.join(told)}."


def _sides(material: Material, column: Float64[np.ndarray, " transforms"]) -> str:
    """One metric's average, and which transforms lie on which side of it."""
    average, names = _average(column), [shown(name) for name in material.run.transforms]
    pairs = list(zip(names, column.tolist(), strict=True))
    sides = {
        "not below it": [name for name, value in pairs if value >= average],
        "below it": [name for name, value in pairs if value < average],
        "undefined": [name for name, value in pairs if np.isnan(value)],
    }
    parts = [f"{side} {join_names(side_names, most=100)}" for side, side_names in sides.items() if side_names]
    return "; ".join([f"{format_number(average)} on average", *parts])
