"""Bars of recall@1: the share of views that find their original, with its interval."""

from collections.abc import Iterator

from embshift.analysis.of_run import analyse_retrieval
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import text_width
from embshift.show.figures.layout.rows import open_row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import SIZES
from embshift.show.figures.material import Material
from embshift.show.figures.measured_rows import (
    add_bar,
    analyse_run,
    bar_end,
    format_bar,
    format_sample,
    make_bars,
    row_height,
)
from embshift.show.text.numbers import format_number

__all__ = ["recall_bar"]


@figure(
    name="recall_bar",
    question="Does a view still find its original among all images?",
    shows="recall@1 of each transform with its interval; the gallery is all originals of the run",
    source="own: retrieval",
    more_shift="left",
    needs_metrics=(),
)
def recall_bar(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render bars from the highest recall to the lowest, undefined ones last."""
    found = analyse_run(material, analyse_retrieval)
    bars = sorted(make_bars(found, "recall_at_1"), key=lambda bar: (bar.value != bar.value, -bar.value))
    chart = open_row_chart(
        frame,
        names=[bar.name for bar in bars],
        label=f"recall@1 in a gallery of {found.images:,} (share of views)",
        notes=[
            format_sample(material, found),
            "bar: share of views whose own original is the nearest image; ties count against it · line:"
            " 95 % interval (Wilson, over images, gallery fixed)",
        ],
        row=row_height(bars),
    )
    for at, bar in enumerate(bars):
        add_bar(chart.axes, bar, at=at)
    taken = max((text_width(format_number(bar.value), size=SIZES.small) for bar in bars), default=0.0) + 0.06
    most = max((bar_end(bar) for bar in bars), default=1.0) or 1.0
    chart.axes.set_xlim(0, max(1.0, most / (1 - taken / chart.width)))
    chart.axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "0.25", "0.5", "0.75", "1"])
    chart.axes.grid(visible=True, axis="x")
    alt = (
        f"Bars of recall@1 in a gallery of {found.images:,} originals, highest first, with the 95 %"
        f" interval: {'; '.join(format_bar(bar) for bar in bars)}. {format_sample(material, found)}."
    )
    yield Page(figure=chart.sheet.figure, alt=alt)
