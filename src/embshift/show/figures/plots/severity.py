"""Severity: the mean shift of each transform against severity or strength, with its interval."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from embshift.analysis.of_sweeps import analyse_sweep
from embshift.analysis.strength.sweep import Curve, Sweep
from embshift.core.errors import FigureError, RunError
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import format_name, text_height, text_width, wrap_text
from embshift.show.figures.layout.panels import Grid, make_grid, split_pages
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import GREY, SIZES, Look, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number
from embshift.show.text.sweep import s50_text, strength_text

__all__ = ["severity"]

_PLOT = 0.8
"""Height of a panel in inches."""

_BELOW = 0.15
"""Height of the numbers below a panel in inches."""


@figure(
    name="severity",
    question="How does the shift grow with severity?",
    shows="mean shift of each transform at each of its severities or strengths, with its interval",
    source="this package",
    more_shift="up",
    needs_metrics=(),
    needs="transforms with a severity or strength",
)
def severity(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render one panel for each transform, on one vertical scale; the band is the interval of the mean."""
    sweep = _analyse_sweep(material)
    curves = sweep.curves
    marks = assign_looks([curve.transform for curve in curves])
    top = _scale_end(curves)
    gutter = text_width("0.075", size=SIZES.small) + 0.07
    head = text_height(_count_name_lines(curves, width=_name_width(curves, frame)), size=SIZES.label) + 0.03
    places = _arrange_panels(curves, frame, head=head)
    for page in split_pages(curves, places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=_write_notes(material, sweep))
        for at, curve in enumerate(page):
            left, upper = places.place(at)
            _add_head(sheet, curve, left=left, upper=upper, low=upper + head, width=places.width - 0.1)
            axes = sheet.axes(left + gutter, upper + head, width=places.width - gutter - 0.12, height=_PLOT)
            _set_scales(axes, curve, top=top, width=places.width - gutter - 0.12)
            _add_curve(axes, curve, marks[curve.transform])
            sheet.text(
                left, upper + head + _PLOT + _BELOW, _format_summary(curve), size=SIZES.small, color=GREY
            )
        yield Page(figure=sheet.figure, alt=_write_alt(material, page, sweep))


def _analyse_sweep(material: Material) -> Sweep:
    material.values  # noqa: B018 - raises where the run holds no values
    try:
        return analyse_sweep(material.run)
    except RunError as error:
        raise FigureError(str(error)) from error


def _scale_end(curves: Sequence[Curve]) -> float:
    ends = np.concatenate([[*curve.shift.mean, *curve.shift.high] for curve in curves])
    known = ends[~np.isnan(ends)]
    most = max(float(known.max(initial=0.0)), 1e-3)
    step = 10.0 ** math.floor(math.log10(most))
    return next(times * step for times in (1, 1.5, 2, 3, 4, 6, 8, 10) if times * step >= most)


def _name_width(curves: Sequence[Curve], frame: Frame) -> float:
    return make_grid(len(curves), width=frame.inner, least=1.02, height=1.0, wide=1.7).width - 0.1


def _count_name_lines(curves: Sequence[Curve], *, width: float) -> int:
    return max(len(_wrap_name(curve, width=width)) for curve in curves)


def _wrap_name(curve: Curve, *, width: float) -> list[str]:
    return wrap_text(format_name(curve.transform), width=width, size=SIZES.label, lines=3, weight="bold")


def _arrange_panels(curves: Sequence[Curve], frame: Frame, *, head: float) -> Grid:
    height = head + _PLOT + _BELOW + text_height(2, size=SIZES.small) + 0.1
    return make_grid(len(curves), width=frame.inner, least=1.02, height=height, wide=1.7, high=frame.highest)


def _write_notes(material: Material, sweep: Sweep) -> list[str]:
    return [
        f"{sweep.gallery:,} image{'s' * (sweep.gallery != 1)} · encoder {material.encoder}",
        "shift: 1 − cosine, a pure number, 0: like the original · band: 95 % interval of the mean (BCa"
        " bootstrap over images) · area below: mean height of the curve · s50: where under half of the views"
        " find their original among all",
    ]


def _add_head(sheet: Sheet, curve: Curve, *, left: float, upper: float, low: float, width: float) -> None:
    for line, text in enumerate(reversed(_wrap_name(curve, width=width)), start=1):
        sheet.text(left, low - 0.03 - line * text_height(1, size=SIZES.label), text, weight="bold")


def _set_scales(axes: Axes, curve: Curve, *, top: float, width: float) -> None:
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
    # Strengths may lie close together: only the first and the last are labelled.
    kept = list(range(len(places))) if fits else sorted({0, len(places) - 1})
    axes.set_xticks([places[at] for at in kept], [texts[at] for at in kept])
    axes.tick_params(labelsize=SIZES.small)
    axes.grid(visible=True, axis="y")
    for end, label in ((0, axes.get_xticklabels()[0]), (-1, axes.get_xticklabels()[-1])):
        if not fits and len(kept) > 1:
            label.set_horizontalalignment("left" if end == 0 else "right")


def _add_curve(axes: Axes, curve: Curve, look: Look) -> None:
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


def _format_summary(curve: Curve) -> str:
    area = format_number(float(curve.area.mean[0]), places=3)
    return f"{_format_axis(curve)}\narea {area} · s50 {s50_text(curve)}"


def _format_axis(curve: Curve) -> str:
    if curve.axis == "severity":
        return "severity"
    return "strength" if curve.unit == "1" else f"strength ({curve.unit})"


def _write_alt(material: Material, curves: Sequence[Curve], sweep: Sweep) -> str:
    each = "; ".join(
        f"{format_name(curve.transform)} {_format_levels(curve)}, s50 {_format_s50(curve)}"
        for curve in curves
    )
    return (
        f"Curves of the mean shift, 1 − cosine, over severity or strength, of {sweep.gallery:,} images by"
        f" encoder {material.encoder}: {each}."
    )


def _format_s50(curve: Curve) -> str:
    return s50_text(curve).replace(">", "beyond").replace("<", "before").replace("–", "unknown")


def _format_levels(curve: Curve) -> str:
    pairs = zip(curve.strengths, curve.shift.mean.tolist(), strict=True)
    return ", ".join(
        f"{format_number(mean)} at {strength_text(strength, curve.unit)}" for strength, mean in pairs
    )
