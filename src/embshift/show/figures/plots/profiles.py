"""S12: one panel a transform over the performance metrics, in the order of their rank."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from embshift.analysis.shifts.table import SummaryRow
from embshift.core.types import MetricSpec
from embshift.show.figures import Drawing, figure
from embshift.show.figures.layout.bars import lowest, scale_from, similarity_bar
from embshift.show.figures.layout.labels import shown, text_height, text_width, wrapped
from embshift.show.figures.layout.panels import Grid, by_page, grid
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import INK, SIZES, Look, looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number
from embshift.show.text.summary import CLOSEST, short_name

__all__ = ["profiles"]

_BAR, _FOOT, _GAP = 0.125, 0.24, 0.12
"""Inches of a bar, below a panel and between panels."""


@figure(
    name="profiles",
    question="Which transform leaves pictures closest to their originals?",
    shows="one panel a transform over the performance metrics, with rank, average and the best marked",
    source="Fig. 6",
)
def profiles(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """Panels in the order of rank: bars are means over images, the line is their average."""
    specs, known = material.performance, looks(material.run.transforms)
    gutter = max(text_width(short_name(spec.name), size=SIZES.label) for spec in specs) + 0.06
    rows = _ranked(material)
    width = _grid(len(rows), frame.inner - gutter, height=1.0).width - _GAP
    lines = max(len(_title(row, width=width)) for row in rows)
    head = text_height(lines + 1, size=SIZES.label) + 0.04
    places = _grid(len(rows), frame.inner - gutter, height=head + _BAR * len(specs) + _FOOT)
    best = {spec.name: material.summary.closest(spec.name) for spec in specs}
    notes = [
        material.counted([spec.name for spec in specs]),
        "bar: mean over images, a pure number; 1: like the original · dashed line: their average, which"
        f" gives the rank · {CLOSEST} best of all transforms on this metric",
        material.mapped(),
    ]
    low = lowest(material.means())
    for page in by_page(rows, places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=[note for note in notes if note])
        for at, row in enumerate(page):
            left, top = places.place(at)
            _head(sheet, row, left=gutter + left, low=top + head, width=width)
            axes = sheet.axes(gutter + left, top + head, width=width, height=_BAR * len(specs))
            scale_from(axes, low)
            _names(axes, specs if at % places.columns == 0 else ())
            _bars(axes, row, look=known[row.transform], best=best, width=width)
        yield Drawing(figure=sheet.figure, alt=_alt(page, best))


def _ranked(material: Material) -> list[SummaryRow]:
    """By rank; without one last, in the order of the plan."""
    return sorted(material.summary.rows, key=lambda row: row.rank or len(material.summary.rows) + 1)


def _grid(count: int, width: float, *, height: float) -> Grid:
    return grid(count, width=width, least=1.2, height=height, wide=2.2)


def _title(row: SummaryRow, *, width: float) -> list[str]:
    rank = "–" if row.rank is None else str(row.rank)
    text = f"{rank}\u00a0· {shown(row.transform)}"
    return wrapped(text, width=width, size=SIZES.label, lines=3, weight="bold")


def _head(sheet: Sheet, row: SummaryRow, *, left: float, low: float, width: float) -> None:
    """Rank, name and average, standing on a panel."""
    height = text_height(1, size=SIZES.label)
    top = low - 0.04 - height
    sheet.text(left, top, f"average {format_number(row.overall)}")
    for line, text in enumerate(reversed(_title(row, width=width)), start=1):
        sheet.text(left, top - line * height, text, weight="bold")


def _names(axes: Axes, specs: Sequence[MetricSpec]) -> None:
    """Metrics beside the first panel of a row."""
    axes.tick_params(axis="y", length=0)
    axes.set_yticks(range(len(specs)), [short_name(spec.name) for spec in specs])


def _bars(
    axes: Axes, row: SummaryRow, *, look: Look, best: Mapping[str, frozenset[str]], width: float
) -> None:
    axes.set_ylim(len(best) - 0.5, -0.5)
    if not np.isnan(row.overall):
        axes.axvline(row.overall, color=INK, linewidth=0.8, linestyle=(0, (3, 1.5)), zorder=2.5)
    for at, (metric, winners) in enumerate(best.items()):
        mean = row.cells[metric].mean
        text = f"{CLOSEST} {format_number(mean, places=2)}" if row.transform in winners else None
        similarity_bar(axes, mean, at=at, look=look, width=width, text=text)


def _alt(rows: Sequence[SummaryRow], best: Mapping[str, frozenset[str]]) -> str:
    told = list[str]()
    for row in rows:
        means = ", ".join(f"{short_name(name)} {format_number(row.cells[name].mean)}" for name in best)
        rank = "without rank" if row.rank is None else f"rank {row.rank}"
        told.append(f"{shown(row.transform)}: {rank}, average {format_number(row.overall)} ({means})")
    return f"Bars of the performance metrics for each transform, in the order of rank. {'; '.join(told)}."
