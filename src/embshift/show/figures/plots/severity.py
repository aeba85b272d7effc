"""Shift against severity: one curve a transform, with the interval of its means."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from embshift.analysis.of_run import analyse_sweep
from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.core.errors import FigureError, RunError
from embshift.show.figures import Drawing, figure
from embshift.show.figures.layout.labels import shown, text_height, text_width, wrapped
from embshift.show.figures.layout.panels import Grid, by_page, grid
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import GREY, SIZES, Look, looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number
from embshift.show.text.sweep import s50_text, strength_text

__all__ = ["severity"]

_PLOT = 0.8
"""Inches from the bottom of a panel's scale to its top."""

_BELOW = 0.15
"""Inches of the scale's numbers."""


@figure(
    name="severity",
    question="How does the shift grow with severity?",
    shows="mean shift of each transform at each of its severities or strengths, with its interval",
    source="this package",
    needs="transforms with a severity or strength",
)
def severity(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """One panel a transform, all of one height scale; the band is the interval of the mean."""
    sweep = _sweep(material)
    curves = sweep.curves
    marks = looks([curve.transform for curve in curves])
    top = _top(curves)
    gutter = text_width("0.075", size=SIZES.small) + 0.07
    head = text_height(_name_lines(curves, width=_wide(curves, frame)), size=SIZES.label) + 0.03
    places = _places(curves, frame, head=head)
    for page in by_page(curves, places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=_notes(material, sweep))
        for at, curve in enumerate(page):
            left, upper = places.place(at)
            _head(sheet, curve, left=left, upper=upper, low=upper + head, width=places.width - 0.1)
            axes = sheet.axes(left + gutter, upper + head, width=places.width - gutter - 0.12, height=_PLOT)
            _scales(axes, curve, top=top, width=places.width - gutter - 0.12)
            _draw(axes, curve, marks[curve.transform])
            sheet.text(left, upper + head + _PLOT + _BELOW, _told(curve), size=SIZES.small, color=GREY)
        yield Drawing(figure=sheet.figure, alt=_alt(material, page, sweep))


def _sweep(material: Material) -> Sweep:
    material.values  # noqa: B018 - raises where the run holds nothing
    try:
        return analyse_sweep(material.run)
    except RunError as error:
        raise FigureError(str(error)) from error


def _top(curves: Sequence[Curve]) -> float:
    ends = np.concatenate([[*curve.shift.mean, *curve.shift.high] for curve in curves])
    known = ends[~np.isnan(ends)]
    most = max(float(known.max(initial=0.0)), 1e-3)
    step = 10.0 ** math.floor(math.log10(most))
    return next(times * step for times in (1, 1.5, 2, 3, 4, 6, 8, 10) if times * step >= most)


def _wide(curves: Sequence[Curve], frame: Frame) -> float:
    return grid(len(curves), width=frame.inner, least=1.02, height=1.0, wide=1.7).width - 0.1


def _name_lines(curves: Sequence[Curve], *, width: float) -> int:
    return max(len(_name(curve, width=width)) for curve in curves)


def _name(curve: Curve, *, width: float) -> list[str]:
    return wrapped(shown(curve.transform), width=width, size=SIZES.label, lines=3, weight="bold")


def _places(curves: Sequence[Curve], frame: Frame, *, head: float) -> Grid:
    height = head + _PLOT + _BELOW + text_height(2, size=SIZES.small) + 0.1
    return grid(len(curves), width=frame.inner, least=1.02, height=height, wide=1.7)


def _notes(material: Material, sweep: Sweep) -> list[str]:
    return [
        f"{sweep.gallery:,} image{'s' * (sweep.gallery != 1)} · encoder {material.encoder}",
        "shift: 1 − cosine, a pure number, 0: like the original · band: 95 % interval of the mean (BCa"
        " bootstrap over images) · area below: mean height of the curve · s50: where under half of the views"
        " find their original among all",
    ]


def _head(sheet: Sheet, curve: Curve, *, left: float, upper: float, low: float, width: float) -> None:
    for line, text in enumerate(reversed(_name(curve, width=width)), start=1):
        sheet.text(left, low - 0.03 - line * text_height(1, size=SIZES.label), text, weight="bold")


def _scales(axes: Axes, curve: Curve, *, top: float, width: float) -> None:
    axes.set_ylim(0, top)
    ticks = [0.0, top / 2, top]
    axes.set_yticks(ticks, [f"{tick:.3g}" for tick in ticks])
    places = [*([] if curve.left is None else [curve.left]), *curve.at]
    low, high = min(places), max(places)
    span = (high - low) or 1.0
    ends = (low - 0.04 * span, high + 0.04 * span)
    axes.set_xlim(*(ends if curve.at[0] <= curve.at[-1] else reversed(ends)))
    texts = [f"{place:g}" for place in places]
    room = width / max(len(places) - 1, 1)
    fits = curve.axis == "severity" and all(
        text_width(each, size=SIZES.small) < room - 0.04 for each in texts
    )
    # Strengths may stand close together: the first and the last are named.
    kept = list(range(len(places))) if fits else sorted({0, len(places) - 1})
    axes.set_xticks([places[at] for at in kept], [texts[at] for at in kept])
    axes.tick_params(labelsize=SIZES.small)
    axes.grid(visible=True, axis="y")
    for end, label in ((0, axes.get_xticklabels()[0]), (-1, axes.get_xticklabels()[-1])):
        if not fits and len(kept) > 1:
            label.set_horizontalalignment("left" if end == 0 else "right")


def _draw(axes: Axes, curve: Curve, look: Look) -> None:
    start = 0 if curve.left is None else 1
    places = np.array([*([curve.left] * start), *curve.at], float)
    means, low, high = (
        np.concatenate([np.zeros(start), part])
        for part in (curve.shift.mean, curve.shift.low, curve.shift.high)
    )
    known = ~np.isnan(low)
    axes.fill_between(places, low, high, where=known.tolist(), color=look.colour, alpha=0.35, linewidth=0)
    axes.plot(
        places, means, color=look.edge, linestyle=look.line, marker=look.marker, markersize=2.6, clip_on=False
    )
    if not math.isnan(curve.s50):
        axes.axvline(curve.s50, color=GREY, linewidth=0.6, linestyle=(0, (2, 2)))


def _told(curve: Curve) -> str:
    return (
        f"{_axis(curve)}\narea {format_number(float(curve.area.mean[0]), places=3)} · s50 {s50_text(curve)}"
    )


def _axis(curve: Curve) -> str:
    if curve.axis == "severity":
        return "severity"
    return "strength" if curve.unit == "1" else f"strength ({curve.unit})"


def _alt(material: Material, curves: Sequence[Curve], sweep: Sweep) -> str:
    told = "; ".join(f"{shown(curve.transform)} {_levels(curve)}, s50 {_in_words(curve)}" for curve in curves)
    return (
        f"Curves of the mean shift, 1 − cosine, over severity or strength, of {sweep.gallery:,} images by"
        f" encoder {material.encoder}: {told}."
    )


def _in_words(curve: Curve) -> str:
    return s50_text(curve).replace(">", "beyond").replace("<", "before").replace("–", "unknown")


def _levels(curve: Curve) -> str:
    pairs = zip(curve.strengths, curve.shift.mean.tolist(), strict=True)
    return ", ".join(
        f"{format_number(mean)} at {strength_text(strength, curve.unit)}" for strength, mean in pairs
    )
