"""Profiles (S12): one panel of performance metrics for each transform, in the order of rank."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from embshift.analysis.shifts.table import SummaryRow
from embshift.core.types import MetricSpec
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.bars import add_similarity_bar, scale_start, set_similarity_scale
from embshift.show.figures.layout.labels import format_name, text_height, text_width, wrap_text
from embshift.show.figures.layout.panels import Grid, make_grid, split_pages
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import INK, SIZES, Look, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number
from embshift.show.text.summary import CLOSEST, short_name

__all__ = ["profiles"]

_GAP = 0.12
"""Inches between panels."""

_NARROW = 4.5
"""Inches of width below which panels are smaller, so that three of them fit beside each other."""


@figure(
    name="profiles",
    question="Which transform leaves images closest to their originals?",
    shows="one panel of performance metrics for each transform, with rank, average and the best marked",
    source="Fig. 6",
    more_shift="left",
    needs_metrics=(),
    needs_performance=1,
)
def profiles(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render panels in the order of rank: bars are means over images, the line is their average."""
    specs, known = material.performance, assign_looks(material.run.transforms)
    gutter = max(text_width(short_name(spec.name), size=SIZES.label) for spec in specs) + 0.06
    rows = _sort_by_rank(material)
    bar, foot = (0.11, 0.2) if frame.width < _NARROW else (0.125, 0.24)
    width = _make_grid(len(rows), frame, gutter=gutter, height=1.0).width - _GAP
    lines = max(len(_wrap_title(row, width=width)) for row in rows)
    head = text_height(lines + 1, size=SIZES.label) + 0.04
    places = _make_grid(len(rows), frame, gutter=gutter, height=head + bar * len(specs) + foot)
    best = {spec.name: material.summary.closest(spec.name) for spec in specs}
    notes = [
        material.format_sample([spec.name for spec in specs]),
        "bar: mean over images, a pure number; 1: like the original · dashed line: their average, which"
        f" gives the rank · {CLOSEST} best of all transforms on this metric",
        material.format_map_note(),
    ]
    low = scale_start(material.compute_means())
    for page in split_pages(rows, places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=[note for note in notes if note])
        for at, row in enumerate(page):
            left, top = places.place(at)
            _add_head(sheet, row, left=gutter + left, low=top + head, width=width)
            axes = sheet.axes(gutter + left, top + head, width=width, height=bar * len(specs))
            set_similarity_scale(axes, low)
            _add_names(axes, specs if at % places.columns == 0 else ())
            _add_bars(axes, row, look=known[row.transform], best=best, width=width)
        yield Page(figure=sheet.figure, alt=_write_alt(page, best))


def _sort_by_rank(material: Material) -> list[SummaryRow]:
    """Return the rows by rank; rows without a rank come last, in the order of the plan."""
    return sorted(material.summary.rows, key=lambda row: row.rank or len(material.summary.rows) + 1)


def _make_grid(count: int, frame: Frame, *, gutter: float, height: float) -> Grid:
    least = 0.78 if frame.width < _NARROW else 1.2
    return make_grid(
        count, width=frame.inner - gutter, least=least, height=height, wide=2.2, high=frame.highest
    )


def _wrap_title(row: SummaryRow, *, width: float) -> list[str]:
    rank = "–" if row.rank is None else str(row.rank)
    text = f"{rank}\u00a0· {format_name(row.transform)}"
    return wrap_text(text, width=width, size=SIZES.label, lines=3, weight="bold")


def _add_head(sheet: Sheet, row: SummaryRow, *, left: float, low: float, width: float) -> None:
    """Add rank, name and average just above a panel."""
    height = text_height(1, size=SIZES.label)
    top = low - 0.04 - height
    sheet.text(left, top, f"average {format_number(row.overall)}")
    for line, text in enumerate(reversed(_wrap_title(row, width=width)), start=1):
        sheet.text(left, top - line * height, text, weight="bold")


def _add_names(axes: Axes, specs: Sequence[MetricSpec]) -> None:
    """Add the metrics beside the first panel of a row."""
    axes.tick_params(axis="y", length=0)
    axes.set_yticks(range(len(specs)), [short_name(spec.name) for spec in specs])


def _add_bars(
    axes: Axes, row: SummaryRow, *, look: Look, best: Mapping[str, frozenset[str]], width: float
) -> None:
    axes.set_ylim(len(best) - 0.5, -0.5)
    if not np.isnan(row.overall):
        axes.axvline(row.overall, color=INK, linewidth=0.8, linestyle=(0, (3, 1.5)), zorder=2.5)
    for at, (metric, winners) in enumerate(best.items()):
        mean = row.cells[metric].mean
        text = f"{CLOSEST} {format_number(mean, places=2)}" if row.transform in winners else None
        add_similarity_bar(axes, mean, at=at, look=look, width=width, text=text)


def _write_alt(rows: Sequence[SummaryRow], best: Mapping[str, frozenset[str]]) -> str:
    parts = list[str]()
    for row in rows:
        means = ", ".join(f"{short_name(name)} {format_number(row.cells[name].mean)}" for name in best)
        rank = "without rank" if row.rank is None else f"rank {row.rank}"
        parts.append(f"{format_name(row.transform)}: {rank}, average {format_number(row.overall)} ({means})")
    return f"Bars of the performance metrics for each transform, in the order of rank. {'; '.join(parts)}."
