"""Direction: whether a transform shifts all images alike, and how much of the shift a correction removes."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.of_run import analyse_direction
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import format_name
from embshift.show.figures.layout.rows import open_row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import GREY, INK, SIZES, Look, assign_looks
from embshift.show.figures.material import Material
from embshift.show.figures.measured_rows import analyse_run, format_sample, make_bars, row_height
from embshift.show.text.numbers import format_number

__all__ = ["direction"]

_MARKS = {
    "consistency": ("D", 0.0, "consistency"),
    "corrected_mean": ("o", -0.17, "removed by subtracting the mean shift"),
    "corrected_linear": ("s", 0.17, "removed by a linear map"),
}
"""Marker, place in the row and meaning of each measure."""


@figure(
    name="direction",
    question="Does a transform move every image in the same direction?",
    shows="consistency of the shifts of each transform, and the share of the shift that is removed on"
    " held-out images by one vector and by one linear map",
    source="own: direction",
    needs_metrics=(),
)
def direction(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render one row for each transform, most consistent first, with three marks each."""
    found = analyse_run(material, analyse_direction)
    order = sorted(found.transforms, key=lambda name: _sort_key(found, name))
    chart = open_row_chart(
        frame,
        names=order,
        label="share (1); 0 is none, 1 is all",
        notes=[
            format_sample(material, found),
            "diamond: consistency, the mean cosine of an image's shift and the mean shift of the others"
            " · circle: share of the cosine shift that subtracting the mean shift removes · square: the same"
            " for a linear map (ridge) · fitted and evaluated on different images; below 0 it does harm"
            " · line: 95 % interval",
        ],
        row=row_height(make_bars(found, "consistency")) + 0.04,
    )
    known = assign_looks(found.transforms)
    low = min((value for value in _iterate_means(found) if value == value), default=0.0)
    chart.axes.set_xlim(max(min(0.0, low * 1.1), -1.0) - 0.02, 1.02)
    chart.axes.axvline(0, color=GREY, linewidth=0.7, zorder=0.5)
    chart.axes.grid(visible=True, axis="x")
    for at, name in enumerate(order):
        _add_marks(chart.axes, found, name, at=at, look=known[name])
    yield Page(figure=chart.sheet.figure, alt=_write_alt(material, found, order))


def _sort_key(found: Measured, name: str) -> tuple[bool, float]:
    value = found.mean(name, "consistency")
    return value != value, -value


def _iterate_means(found: Measured) -> Iterator[float]:
    for measure in _MARKS:
        yield from found.estimates.mean[:, found.column(measure)].tolist()


def _add_marks(axes: Axes, found: Measured, name: str, *, at: int, look: Look) -> None:
    values = {measure: found.mean(name, measure) for measure in _MARKS}
    if all(np.isnan(value) for value in values.values()):
        axes.text(0.01, at, "undefined", va="center", size=SIZES.small)
        return
    left, _ = axes.get_xlim()
    for measure, (marker, off, _) in _MARKS.items():
        low, high = found.interval(name, measure)
        if not np.isnan(low):
            axes.plot(
                [max(low, left), max(high, left)], [at + off, at + off], color=INK, linewidth=0.7, zorder=1.5
            )
        if not np.isnan(values[measure]):
            place = max(values[measure], left)
            axes.plot(
                place,
                at + off,
                marker,
                color=look.colour,
                markersize=5,
                markeredgecolor=INK,
                markeredgewidth=0.4,
                clip_on=False,
            )


def _write_alt(material: Material, found: Measured, order: Sequence[str]) -> str:
    each = "; ".join(
        f"{format_name(name)}: "
        + ", ".join(
            f"{meaning} {format_number(found.mean(name, one))}" for one, (_, _, meaning) in _MARKS.items()
        )
        for name in order
    )
    return f"For each transform, most consistent first: {each}. {format_sample(material, found)}."
