"""Structure: whether embeddings keep their geometry under a transform, compared with chance."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.of_run import analyse_structure
from embshift.core.errors import FigureError, RunError
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import format_name
from embshift.show.figures.layout.rows import open_row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import GREY, INK, SIZES, Look, assign_looks
from embshift.show.figures.material import Material
from embshift.show.figures.measured_rows import format_sample
from embshift.show.text.numbers import format_number

__all__ = ["structure"]

_MARKS = {
    "unbiased_cka": ("o", -0.22, "CKA", None),
    "rsa": ("D", 0.0, "RSA", "rsa_chance"),
    "procrustes": ("s", 0.22, "Procrustes distance", "procrustes_chance"),
}
"""Marker, place in the row, meaning and chance value of each measure."""


@figure(
    name="structure",
    question="Do the images keep their arrangement?",
    shows="CKA, RSA and Procrustes distance between originals and views of each transform, and the values"
    " that chance alone gives",
    source="own: structure",
    more_shift="circle and diamond left, square right",
    needs_metrics=(),
)
def structure(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render a row for each transform, best preserved first: three marks each, and open ones for chance."""
    found = _analyse_structure(material)
    order = sorted(found.transforms, key=lambda name: _sort_key(found, name))
    chart = open_row_chart(
        frame,
        names=order,
        label="pure numbers · fully preserved: CKA and RSA 1, Procrustes distance 0",
        notes=[
            format_sample(material, found),
            "circle: linear CKA without its bias for few images · diamond: RSA, the rank correlation of the"
            " distances between originals and between views · square: Procrustes distance, what remains after"
            " the best rotation · open: the same with views assigned to images at random",
        ],
        row=0.27 if len(order) <= 12 else 0.21,
    )
    known = assign_looks(found.transforms)
    low = min((value for value in _iterate_means(found) if value == value), default=0.0)
    high = max((value for value in _iterate_means(found) if value == value), default=1.0)
    chart.axes.set_xlim(max(min(0.0, low), -1.0) - 0.04, max(1.0, min(high, 2**0.5)) + 0.04)
    chart.axes.axvline(0, color=GREY, linewidth=0.7, zorder=0.5)
    chart.axes.axvline(1, color=GREY, linewidth=0.7, zorder=0.5)
    chart.axes.grid(visible=True, axis="x")
    for at, name in enumerate(order):
        _add_marks(chart.axes, found, name, at=at, look=known[name])
    yield Page(figure=chart.sheet.figure, alt=_write_alt(material, found, order))


def _analyse_structure(material: Material) -> Measured:
    material.values  # noqa: B018 - raises where the run holds no values
    try:
        return analyse_structure(material.run)
    except RunError as error:
        raise FigureError(str(error)) from error


def _sort_key(found: Measured, name: str) -> tuple[bool, float]:
    value = found.mean(name, "rsa")
    return value != value, -value


def _iterate_means(found: Measured) -> Iterator[float]:
    for measure, (*_, chance) in _MARKS.items():
        for one in (measure, chance):
            if one is not None:
                yield from found.estimates.mean[:, found.column(one)].tolist()


def _add_marks(axes: Axes, found: Measured, name: str, *, at: int, look: Look) -> None:
    if all(np.isnan(found.mean(name, measure)) for measure in _MARKS):
        axes.text(0.01, at, "undefined", va="center", size=SIZES.small)
        return
    left, right = axes.get_xlim()
    for measure, (marker, off, _, chance) in _MARKS.items():
        for one, fill in ((chance, "none"), (measure, look.colour)):
            value = np.nan if one is None else found.mean(name, one)
            if not np.isnan(value):
                axes.plot(
                    np.clip(value, left, right),
                    at + off,
                    marker,
                    color=fill,
                    markersize=4.4,
                    markeredgecolor=GREY if fill == "none" else INK,
                    markeredgewidth=0.6,
                    clip_on=False,
                )


def _write_alt(material: Material, found: Measured, order: Sequence[str]) -> str:
    each = "; ".join(f"{format_name(name)}: {_format_measures(found, name)}" for name in order)
    return f"For each transform, best preserved first: {each}. {format_sample(material, found)}."


def _format_measures(found: Measured, name: str) -> str:
    parts = list[str]()
    for measure, (_, _, meaning, chance) in _MARKS.items():
        by_chance = "" if chance is None else f" (chance {format_number(found.mean(name, chance))})"
        parts.append(f"{meaning} {format_number(found.mean(name, measure))}{by_chance}")
    return ", ".join(parts)
