"""Whether views still find their originals: recall@1 of every transform, with its interval."""

from collections.abc import Iterator

from embshift.analysis.of_run import analyse_retrieval
from embshift.show.figures import Drawing, figure
from embshift.show.figures.layout.labels import text_width
from embshift.show.figures.layout.rows import row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import SIZES
from embshift.show.figures.material import Material
from embshift.show.figures.measured_rows import bars_of, counted, draw_bar, end, measured, row_height, told
from embshift.show.text.numbers import format_number

__all__ = ["recall_bar"]


@figure(
    name="recall_bar",
    question="Does a view still find its original among all pictures?",
    shows="recall@1 of each transform with its interval, all originals of the run being the gallery",
    source="own: retrieval",
)
def recall_bar(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """Bars from the best found to the worst, undefined last."""
    found = measured(material, analyse_retrieval)
    bars = sorted(bars_of(found, "recall_at_1"), key=lambda bar: (bar.value != bar.value, -bar.value))
    chart = row_chart(
        frame,
        names=[bar.name for bar in bars],
        label=f"recall@1 in a gallery of {found.images:,} (share of views)",
        notes=[
            counted(material, found),
            "bar: share of views whose own original is the nearest picture, ties counting against it · line:"
            " 95 % interval (BCa bootstrap over images, gallery kept) · higher is closer to the original",
        ],
        row=row_height(bars),
    )
    for at, bar in enumerate(bars):
        draw_bar(chart.axes, bar, at=at)
    taken = max((text_width(format_number(bar.value), size=SIZES.small) for bar in bars), default=0.0) + 0.06
    most = max((end(bar) for bar in bars), default=1.0) or 1.0
    chart.axes.set_xlim(0, max(1.0, most / (1 - taken / chart.width)))
    chart.axes.set_xticks([0, 0.25, 0.5, 0.75, 1.0], ["0", "0.25", "0.5", "0.75", "1"])
    chart.axes.grid(visible=True, axis="x")
    alt = (
        f"Bars of recall@1 in a gallery of {found.images:,} originals, best found first, with the 95 %"
        f" interval: {'; '.join(told(bar) for bar in bars)}. {counted(material, found)}."
    )
    yield Drawing(figure=chart.sheet.figure, alt=alt)
