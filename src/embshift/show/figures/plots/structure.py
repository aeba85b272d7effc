"""Whether the pictures keep their arrangement under a transform, beside what chance alone gives."""

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.of_run import analyse_structure
from embshift.core.errors import FigureError, RunError
from embshift.show.figures import Drawing, figure
from embshift.show.figures.layout.labels import shown
from embshift.show.figures.layout.rows import row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import GREY, INK, SIZES, Look, looks
from embshift.show.figures.material import Material
from embshift.show.figures.measured_rows import counted
from embshift.show.text.numbers import format_number

__all__ = ["structure"]

_IMAGES, _PERMUTATIONS = 2_000, 5
"""Pictures that it is drawn of where there are more, a seeded sample; permutations of the chance values."""

_MARKS = {
    "unbiased_cka": ("o", -0.22, "CKA", None),
    "rsa": ("D", 0.0, "RSA", "rsa_chance"),
    "procrustes": ("s", 0.22, "Procrustes distance", "procrustes_chance"),
}
"""Marker, place in the row, meaning and chance value of what is drawn for each transform."""


@figure(
    name="structure",
    question="Do the pictures keep their arrangement?",
    shows="CKA, RSA and Procrustes distance of originals and views of each transform, and what chance"
    " alone gives",
    source="own: structure",
)
def structure(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """Rows from the best kept to the least; three marks each, open ones for chance."""
    found = _measured(material)
    order = sorted(found.transforms, key=lambda name: _first(found, name))
    chart = row_chart(
        frame,
        names=order,
        label="pure numbers · CKA and RSA: 1 is kept · Procrustes distance: 0 is kept",
        notes=[
            counted(material, found),
            "circle: linear CKA without its bias for few pictures · diamond: RSA, the rank correlation of the"
            " distances between originals and between views · square: Procrustes distance, what the best"
            " rotation leaves · open: the same when views are dealt to pictures at random",
        ],
        row=0.27 if len(order) <= 12 else 0.21,
    )
    known = looks(found.transforms)
    low = min((value for value in _values(found) if value == value), default=0.0)
    high = max((value for value in _values(found) if value == value), default=1.0)
    chart.axes.set_xlim(max(min(0.0, low), -1.0) - 0.04, max(1.0, min(high, 2**0.5)) + 0.04)
    chart.axes.axvline(0, color=GREY, linewidth=0.7, zorder=0.5)
    chart.axes.axvline(1, color=GREY, linewidth=0.7, zorder=0.5)
    chart.axes.grid(visible=True, axis="x")
    for at, name in enumerate(order):
        _draw(chart.axes, found, name, at=at, look=known[name])
    yield Drawing(figure=chart.sheet.figure, alt=_alt(material, found, order))


def _measured(material: Material) -> Measured:
    images = len(material.values.rows)
    try:
        return analyse_structure(material.run, images=min(images, _IMAGES), permutations=_PERMUTATIONS)
    except RunError as error:
        raise FigureError(str(error)) from error


def _first(found: Measured, name: str) -> tuple[bool, float]:
    value = found.mean(name, "rsa")
    return value != value, -value


def _values(found: Measured) -> Iterator[float]:
    for measure, (*_, chance) in _MARKS.items():
        for one in (measure, chance):
            if one is not None:
                yield from found.estimates.mean[:, found.column(one)].tolist()


def _draw(axes: Axes, found: Measured, name: str, *, at: int, look: Look) -> None:
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


def _alt(material: Material, found: Measured, order: Sequence[str]) -> str:
    each = "; ".join(f"{shown(name)}: {_told(found, name)}" for name in order)
    return f"For each transform, best kept first: {each}. {counted(material, found)}."


def _told(found: Measured, name: str) -> str:
    parts = list[str]()
    for measure, (_, _, meaning, chance) in _MARKS.items():
        beside = "" if chance is None else f" (chance {format_number(found.mean(name, chance))})"
        parts.append(f"{meaning} {format_number(found.mean(name, measure))}{beside}")
    return ", ".join(parts)
