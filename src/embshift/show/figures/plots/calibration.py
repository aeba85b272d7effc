"""Calibration: shifts relative to the distances between different images."""

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.of_run import calibrate_shifts
from embshift.core.errors import FigureError
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import format_name, text_width
from embshift.show.figures.layout.rows import open_row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import GREY, SIZES
from embshift.show.figures.material import Material
from embshift.show.figures.measured_rows import (
    Bar,
    add_bar,
    analyse_run,
    bar_end,
    format_sample,
    make_bars,
    row_height,
)
from embshift.show.text.numbers import format_number

__all__ = ["calibration"]


@figure(
    name="calibration",
    question="How large is a shift relative to the distances between images?",
    shows="cosine shift of each transform over the mean distance to the other images, with its interval, and"
    " the shift over the distance to the nearest one",
    source="own: calibration",
    more_shift="right",
    needs_metrics=(),
    needs="two different images or more",
)
def calibration(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render bars from the smallest shift to the largest; at 1 a view is as far away as another image."""
    found = analyse_run(material, calibrate_shifts)
    bars = sorted(make_bars(found, "relative_shift"), key=lambda bar: (bar.value != bar.value, bar.value))
    if all(np.isnan(bar.value) for bar in bars):
        raise FigureError(
            f"{material.run.folder} holds no two images whose embeddings differ; measure more images"
        )
    beside = {bar.name: bar.value for bar in make_bars(found, "neighbour_ratio")}
    column = 0.55
    chart = open_row_chart(
        frame,
        names=[bar.name for bar in bars],
        label="cosine shift / mean cosine distance to the other images (1)",
        notes=[
            format_sample(material, found),
            "bar: mean · line: 95 % interval (BCa bootstrap over images) · at 1 a view lies as far from its"
            " original as another image does · right: shift over the distance to the nearest other image,"
            " mean; above 1 the view lies further away than that image",
        ],
        row=row_height(bars),
        beside=column,
    )
    _set_scale(chart.axes, bars, width=chart.width)
    for at, bar in enumerate(bars):
        add_bar(chart.axes, bar, at=at)
        text = f"{format_number(beside[bar.name])} ×"
        chart.axes.annotate(
            text,
            (1, at),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            size=SIZES.small,
            color=GREY,
        )
    yield Page(figure=chart.sheet.figure, alt=_write_alt(material, found, bars=bars, beside=beside))


def _set_scale(axes: Axes, bars: list[Bar], *, width: float) -> None:
    taken = max(text_width(format_number(bar.value), size=SIZES.small) for bar in bars) + 0.08
    most = max(bar_end(bar) for bar in bars) or 1.0
    axes.set_xlim(0, most / (1 - taken / width))
    if most >= 1:
        axes.axvline(1, color=GREY, linewidth=0.7, linestyle="--", zorder=0.5)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter("{x:g}")  # and no common factor beside the panel
    axes.grid(visible=True, axis="x")


def _write_alt(material: Material, found: Measured, *, bars: list[Bar], beside: dict[str, float]) -> str:
    each = "; ".join(
        f"{format_name(bar.name)} {format_number(bar.value)} of the mean,"
        f" {format_number(beside[bar.name])} of the nearest"
        for bar in bars
    )
    return (
        "Bars of the cosine shift over the mean cosine distance to the other images, smallest first, and the"
        f" shift over the distance to the nearest other image: {each}. {format_sample(material, found)}."
    )
