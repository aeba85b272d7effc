"""Label flips: how often each transform changes the label of an image, and what that does to accuracy."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from embshift.analysis.words.labels import LABEL_MEASURES, LabelShifts
from embshift.core.errors import FigureError, RunError
from embshift.core.words import count_noun
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import text_width
from embshift.show.figures.layout.rows import RowChart, open_row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import GREY, SIZES, assign_looks
from embshift.show.figures.material import Material
from embshift.show.figures.measured_rows import Bar, add_bar, bar_end, format_bar, row_height
from embshift.show.text.numbers import format_number

__all__ = ["label_flips"]

_SIDE, _GAP = 0.22, 0.13
"""Width of the panel of accuracies, relative to the page, and the space to its left in inches."""

_Found = Mapping[str, LabelShifts]


@figure(
    name="label_flips",
    question="How often does a transform change the label of an image?",
    shows="share of views whose zero-shot label differs from that of their original, with its interval;"
    " accuracy before and after where true labels are known",
    source="own: explanations",
    more_shift="right",
    needs_metrics=(),
    needs="labels, stored by embshift explain --show labels --labels FILE",
)
def label_flips(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render bars from the highest flip rate to the lowest; beside them the accuracies, if they are known."""
    found = _read_labels(material)
    bars = sorted(_make_bars(material, found), key=lambda bar: (bar.value != bar.value, -bar.value))
    known = any(not math.isnan(_accuracy(one)[1]) for one in found.values())
    side = _SIDE * frame.inner if known else 0.0
    chart = open_row_chart(
        frame,
        names=[bar.name for bar in bars],
        label="flip rate",
        notes=_write_notes(material, found, known=known),
        row=row_height(bars),
        beside=side + _GAP if known else 0.0,
    )
    _set_scale(chart.axes, bars, width=chart.width)
    for at, bar in enumerate(bars):
        add_bar(chart.axes, bar, at=at)
    if known:
        _add_accuracies(chart, bars, found, left=frame.inner - side, width=side - 0.08)
    yield Page(figure=chart.sheet.figure, alt=_write_alt(material, bars, found, known=known))


def _read_labels(material: Material) -> _Found:
    """Return what happens to the labels under each transform.

    Raises:
        FigureError: If the run holds no labels, or no image has one.
    """
    try:
        found = material.texts.labels()
    except RunError as error:
        raise FigureError(str(error)) from error
    if all(math.isnan(one.measure("flip_rate")[0]) for one in found.values()):
        raise FigureError(
            f"{material.run.folder} holds no view with an embedding; labels need one; measure readable images"
        )
    return found


def _make_bars(material: Material, found: _Found) -> list[Bar]:
    looks = assign_looks(material.run.transforms)
    return [
        Bar(name=name, look=looks[name], **dict(zip(("value", "low", "high"), ends, strict=True)))
        for name, ends in ((name, one.measure("flip_rate")) for name, one in found.items())
    ]


def _accuracy(one: LabelShifts) -> tuple[float, float]:
    """Return the accuracy of the originals and of the views; NaN where no true label is known."""
    return one.measure("accuracy_before")[0], one.measure("accuracy_after")[0]


def _count_images(found: _Found) -> str:
    column = LABEL_MEASURES.index("flip_rate")
    counts = [int(one.estimates.n[column]) for one in found.values()]
    few, many = min(counts), max(counts)
    return count_noun(many, "image") if few == many else f"{few:,} to {many:,} images"


def _write_notes(material: Material, found: _Found, *, known: bool) -> list[str]:
    labels = material.texts.names("label")
    right = " · right: share of images whose label is the true one, ○ before and ● after" if known else ""
    return [
        f"{_count_images(found)} · encoder {material.encoder} · {count_noun(len(labels), 'label')}",
        "bar: share of views whose zero-shot label differs from their original’s · line: 95 % interval over"
        f" images{right}",
    ]


def _set_scale(axes: Axes, bars: Sequence[Bar], *, width: float) -> None:
    """Set a scale that leaves room for the numbers behind the bars."""
    taken = max(text_width(format_number(bar.value), size=SIZES.small) for bar in bars) + 0.08
    most = max(bar_end(bar) for bar in bars) or 1.0
    limit = most / (1 - min(taken / width, 0.6))
    # Room for a number may reach beyond 1, where no rate is.
    most_ticks = max(2, min(4, int(width / 0.4)))
    ticks = MaxNLocator(most_ticks, steps=[1, 2, 2.5, 5, 10]).tick_values(0, min(limit, 1.0))
    axes.set_xticks([tick for tick in np.asarray(ticks).tolist() if 0 <= tick <= min(limit, 1.0)])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlim(0, limit)
    axes.grid(visible=True, axis="x")


def _add_accuracies(
    chart: RowChart, bars: Sequence[Bar], found: _Found, *, left: float, width: float
) -> None:
    """Add a panel with two dots in each row."""
    axes = chart.sheet.axes(left, 0, width=width, height=chart.height)
    axes.set_ylim(chart.axes.get_ylim())
    axes.set_xlim(0, 1)
    axes.set_yticks([])
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.grid(visible=True, axis="x")
    axes.set_xlabel("accuracy")
    for at, bar in enumerate(bars):
        before, after = _accuracy(found[bar.name])
        if np.isnan(after):
            axes.text(0.03, at, "undefined", va="center", size=SIZES.small)
            continue
        axes.plot([before, after], [at, at], color=GREY, linewidth=0.8)
        style: dict[str, Any] = {
            "markeredgecolor": bar.look.edge,
            "markersize": 4.4,
            "linestyle": "none",
            "clip_on": False,
        }
        axes.plot([before], [at], "o", markerfacecolor="white", markeredgewidth=0.9, zorder=3, **style)
        axes.plot([after], [at], "o", markerfacecolor=bar.look.colour, markeredgewidth=0.6, zorder=4, **style)


def _write_alt(material: Material, bars: Sequence[Bar], found: _Found, *, known: bool) -> str:
    each = "; ".join(f"{format_bar(bar)}{_describe(found[bar.name]) if known else ''}" for bar in bars)
    return (
        f"Bars of the share of views whose label differs from their original’s, highest first, with the 95 %"
        f" interval: {each}. {_count_images(found)} · encoder {material.encoder}."
    )


def _describe(one: LabelShifts) -> str:
    """Format the accuracies of one transform."""
    before, after = (format_number(value, places=2) for value in _accuracy(one))
    return f", accuracy {before} before and {after} after"
