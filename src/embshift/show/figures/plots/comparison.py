"""Comparison (S16): the bars of every metric in the order of the plan, with the metric's average."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes

from embshift.show.figures import Page, figure
from embshift.show.figures.layout.bars import add_similarity_bar, scale_start, set_similarity_scale
from embshift.show.figures.layout.labels import format_name, text_width
from embshift.show.figures.layout.panels import make_grid, split_pages
from embshift.show.figures.layout.rows import add_names_beside, fit_row, name_width
from embshift.show.figures.layout.sheets import Frame, open_sheet
from embshift.show.figures.layout.style import INK, SIZES, Look, assign_looks
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
    more_shift="left",
    needs_metrics=(),
    needs_performance=1,
)
def comparison(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render one panel for each metric; the panels of a row share the names and the order of the bars."""
    means, names = material.compute_means(), material.run.transforms
    metrics = [short_name(spec.name) for spec in material.performance]
    height = len(names) * fit_row(0.19 if len(names) <= 12 else 0.14, count=len(names))
    gutter = name_width(names, most=0.46 * frame.inner) + 0.05
    least = max(text_width(name, size=SIZES.label) for name in metrics) + _GAP + 0.04
    places = make_grid(len(metrics), width=frame.inner - gutter, least=least, height=_HEAD + _FOOT + height)
    notes = [
        material.format_sample([spec.name for spec in material.performance]),
        "bar: mean over images, a pure number; 1: like the original · dashed line, and"
        " number above: average over transforms",
        material.format_map_note(),
    ]
    marks = list(assign_looks(names).values())
    for page in split_pages(range(len(metrics)), places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=[note for note in notes if note])
        for at, metric in enumerate(page):
            left, top = places.place(at)
            width = places.width - _GAP
            axes = sheet.axes(gutter + left, top + _HEAD, width=width, height=height)
            axes.set_ylim(len(names) - 0.5, -0.5)
            own = names if at % places.columns == 0 else [""] * len(names)
            add_names_beside(axes, own, width=gutter - 0.05, panel=width)
            average = _average_defined(means[:, metric])
            axes.set_title(f"{metrics[metric]}\n{format_number(average)}", fontsize=SIZES.label, pad=3)
            _add_bars(axes, means[:, metric], marks=marks, width=width)
        yield Page(
            figure=sheet.figure, alt=_write_alt(material, [metrics[at] for at in page], means[:, page])
        )


def _average_defined(column: Float64[np.ndarray, " transforms"]) -> float:
    """Return the average over the transforms with a value; NaN where there is none."""
    defined = column[~np.isnan(column)]
    return float(defined.mean()) if len(defined) else float("nan")


def _add_bars(
    axes: Axes, column: Float64[np.ndarray, " transforms"], *, marks: Sequence[Look], width: float
) -> None:
    set_similarity_scale(axes, scale_start(column))
    average = _average_defined(column)
    if not np.isnan(average):
        axes.axvline(average, color=INK, linewidth=0.8, linestyle=(0, (3, 1.5)), zorder=2.5)
    for at, (value, look) in enumerate(zip(column.tolist(), marks, strict=True)):
        add_similarity_bar(axes, value, at=at, look=look, width=width)


def _write_alt(
    material: Material, metrics: Sequence[str], means: Float64[np.ndarray, "transforms metrics"]
) -> str:
    parts = [
        f"{name} {_format_sides(material, column)}" for name, column in zip(metrics, means.T, strict=True)
    ]
    return f"Bars of each transform's mean for every metric. {'. '.join(parts)}."


def _format_sides(material: Material, column: Float64[np.ndarray, " transforms"]) -> str:
    """Format a metric's average and the transforms on either side of it."""
    average, names = _average_defined(column), [format_name(name) for name in material.run.transforms]
    pairs = list(zip(names, column.tolist(), strict=True))
    sides = {
        "not below it": [name for name, value in pairs if value >= average],
        "below it": [name for name, value in pairs if value < average],
        "undefined": [name for name, value in pairs if np.isnan(value)],
    }
    parts = [f"{side} {join_names(side_names, most=100)}" for side, side_names in sides.items() if side_names]
    return "; ".join([f"{format_number(average)} on average", *parts])
