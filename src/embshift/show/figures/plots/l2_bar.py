"""Bars of the mean L2 distance (S13), with the standard deviation over images and the mean's interval."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import format_name, text_width
from embshift.show.figures.layout.rows import RowChart, open_row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import INK, SIZES, Look, area_style, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["l2_bar"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """Mean of one transform, with the standard deviation over images and the interval of the mean."""

    name: str
    look: Look
    mean: float
    deviation: float
    low: float
    high: float

    @property
    def end(self) -> float:
        """Where the marks of the row end."""
        return self.mean + (0.0 if np.isnan(self.deviation) else self.deviation)


@figure(
    name="l2_bar",
    question="How far does each transform move embeddings on average?",
    shows="mean L2 distance of each transform, with the standard deviation over images and the interval of"
    " the mean",
    source="Fig. 7",
    more_shift="right",
    needs_metrics=("l2",),
)
def l2_bar(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render bars, nearest first: a thin line for the standard deviation, a thick one for the interval."""
    bars = _make_bars(material)
    unit = next(spec.unit for spec in material.run.metrics if spec.name == "l2")
    chart = open_row_chart(
        frame,
        names=[bar.name for bar in bars],
        label=f"mean L2 distance between raw embeddings ({unit})",
        notes=[
            material.format_sample(["l2"]),
            "bar: mean · thick line: 95 % interval of the mean (BCa bootstrap over images) · thin line: ± one"
            " standard deviation over images",
        ],
        row=0.2 if len(bars) <= 12 else 0.155,
    )
    for at, bar in enumerate(bars):
        _add_bar(chart.axes, bar, at=at)
    _set_scale(chart, bars)
    yield Page(figure=chart.sheet.figure, alt=_write_alt(material, bars))


def _make_bars(material: Material) -> list[_Bar]:
    means, metric = material.statistics.means, material.values.metrics.index("l2")
    known = assign_looks(material.run.transforms)
    order = np.argsort(means.mean[:, metric], kind="stable").tolist()  # NaN last
    rows = material.summary.rows
    return [
        _Bar(
            name=rows[at].transform,
            look=known[rows[at].transform],
            mean=rows[at].cells["l2"].mean,
            deviation=rows[at].cells["l2"].deviation,
            low=float(means.low[at, metric]),
            high=float(means.high[at, metric]),
        )
        for at in order
    ]


def _add_bar(axes: Axes, bar: _Bar, *, at: int) -> None:
    if np.isnan(bar.mean):
        axes.annotate(
            "undefined", (0, at), xytext=(3, 0), textcoords="offset points", va="center", size=SIZES.small
        )
        return
    axes.barh(at, bar.mean, height=0.72, **area_style(bar.look))
    if not np.isnan(bar.deviation):
        _add_line(axes, bar.mean - bar.deviation, bar.end, at=at, width=0.6)
    if not np.isnan(bar.low):
        _add_line(axes, bar.low, bar.high, at=at, width=2.2)
    axes.annotate(
        format_number(bar.mean),
        (max(bar.end, bar.mean), at),
        xytext=(3, 0),
        textcoords="offset points",
        va="center",
        size=SIZES.small,
    )


def _add_line(axes: Axes, low: float, high: float, *, at: int, width: float) -> None:
    """Add a dark line on a white one, so that it is visible on the darkest bar too."""
    for colour, points in (("white", width + 1.2), (INK, width)):
        axes.plot([low, high], [at, at], color=colour, linewidth=points, solid_capstyle="butt")


def _set_scale(chart: RowChart, bars: Sequence[_Bar]) -> None:
    ends = [(bar.end, text_width(format_number(bar.mean), size=SIZES.small) + 0.06) for bar in bars]
    # The scale has room for the longest row with its number behind it.
    most = max((end / (1 - taken / chart.width) for end, taken in ends if not np.isnan(end)), default=1.0)
    chart.axes.set_xlim(0, most or 1.0)
    chart.axes.grid(visible=True, axis="x")


def _write_alt(material: Material, bars: Sequence[_Bar]) -> str:
    each = "; ".join(
        f"{format_name(bar.name)} {format_number(bar.mean)}"
        + ("" if np.isnan(bar.low) else f" ({format_number(bar.low)} to {format_number(bar.high)})")
        for bar in bars
    )
    return (
        f"Bars of the mean L2 distance between the raw embeddings of originals and views, nearest first, with"
        f" the 95 % interval of the mean: {each}. {material.format_sample(['l2'])}."
    )
