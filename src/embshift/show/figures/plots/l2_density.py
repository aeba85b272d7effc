"""Density of the L2 distances over images for every transform (S14), labelled at its peak."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes

from embshift.show.figures import Page, figure
from embshift.show.figures.layout.density import bandwidth, density, has_density
from embshift.show.figures.layout.label_boxes import Box, is_near, measure_ties, place_labels
from embshift.show.figures.layout.labels import format_name, shorten_text, text_height, text_width
from embshift.show.figures.layout.ridges import add_ridge, find_peak
from embshift.show.figures.layout.rows import open_row_chart, scale_height
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import SIZES, Look, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["l2_density"]

_BOUNDS = (0.0, float("inf"))
_TOGETHER = 12
"""Largest number of curves that can be told apart in one panel; more are stacked."""

_UNEVEN = 8.0
"""Ratio of the highest peak to the median one above which most curves would look flat in one panel."""

_LONGEST = 1.6
"""Longest way from a peak to its name in inches, with half of the mean way, before curves are stacked."""

_COLUMNS = 600
"""Points of a curve."""

_HEIGHT, _LEFT = 2.0, 0.42
"""Height of the curves and width of the scale on their left, in inches."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Curve:
    """Distances of one transform over images."""

    name: str
    look: Look
    values: Float64[np.ndarray, " images"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Layout:
    """Curves in one panel, and where their names stand.

    Attributes:
        at: Distances at which the curves are drawn.
        lines: Each curve; None for an upright line.
        points: The peak of each curve.
        places: The same in inches from the panel's lower left corner.
        texts: The name of each curve.
        boxes: Where it stands.
        width: Inches of the panel.
        top: Density at the height of the curves.
    """

    at: Float64[np.ndarray, " points"]
    lines: Sequence[Float64[np.ndarray, " points"] | None]
    points: Sequence[tuple[float, float]]
    places: Sequence[tuple[float, float]]
    texts: Sequence[str]
    boxes: Sequence[Box]
    width: float
    top: float


@figure(
    name="l2_density",
    question="How are the distances of each transform distributed over images?",
    shows="density of the L2 distance over images for each transform, labelled at its peak",
    source="Fig. 4b",
    more_shift="right",
    needs_metrics=("l2",),
)
def l2_density(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render curves in one panel, or stacked where they are many, uneven, or lack room for their names."""
    curves = _make_curves(material)
    unit = next(spec.unit for spec in material.run.metrics if spec.name == "l2")
    span = (0.0, _scale_end(curves))
    label = f"L2 distance between raw embeddings ({unit})"
    notes = [
        material.format_sample(["l2"]),
        f"kernel density over {material.name_images()} (Gaussian, Scott's bandwidth, mirrored at 0)",
    ]
    layout = _lay_out(curves, frame, span=span)
    if layout is None:
        sheet = _stack_curves(curves, frame, label=label, notes=notes, span=span)
    else:
        sheet = _overlay_curves(curves, layout, frame, label=label, notes=notes)
    yield Page(figure=sheet.figure, alt=_write_alt(material, curves, span=span))


def _make_curves(material: Material) -> list[_Curve]:
    columns, known = material.select_metric("l2"), assign_looks(material.run.transforms)
    return [
        _Curve(name=name, look=known[name], values=columns[~np.isnan(columns[:, at]), at])
        for at, name in enumerate(material.run.transforms)
    ]


def _scale_end(curves: Sequence[_Curve]) -> float:
    """Return where the last curve ends."""
    ends = [
        float(curve.values.max()) + (2 * bandwidth(curve.values) if has_density(curve.values) else 0.0)
        for curve in curves
        if len(curve.values)
    ]
    return 1.02 * max(ends, default=1.0) or 1.0


def _is_uneven(curves: Sequence[_Curve], *, span: tuple[float, float]) -> bool:
    """Return whether one curve is so much higher than most that these would be unreadable in one panel."""
    at = np.linspace(*span, _COLUMNS)
    lines = [line for curve in curves if (line := _compute_density(curve, at)) is not None]
    peaks = [float(line.max()) for line in lines]
    return bool(peaks) and max(peaks) > _UNEVEN * float(np.median(peaks))


def _stack_curves(
    curves: Sequence[_Curve], frame: Frame, *, label: str, notes: Sequence[str], span: tuple[float, float]
) -> Sheet:
    peaks = {curve.name: find_peak(curve.values, span=span, bounds=_BOUNDS) for curve in curves}
    ordered = sorted(curves, key=lambda curve: np.nan_to_num(peaks[curve.name], nan=np.inf))
    chart = open_row_chart(
        frame,
        names=[curve.name for curve in ordered],
        label=label,
        notes=[*notes, "each curve scaled to its own peak · number: where the peak is"],
        row=0.23,
        beside=max(text_width(format_number(one), size=SIZES.small) for one in peaks.values()) + 0.1,
    )
    chart.axes.set_xlim(*span)
    chart.axes.grid(visible=True, axis="x")
    for at, curve in enumerate(ordered):
        add_ridge(chart.axes, curve.values, base=at + 0.36, look=curve.look, span=span, bounds=_BOUNDS)
        chart.axes.annotate(
            format_number(peaks[curve.name]) if len(curve.values) else "–",
            (span[1], at),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            size=SIZES.small,
            annotation_clip=False,
        )
    return chart.sheet


def _lay_out(curves: Sequence[_Curve], frame: Frame, *, span: tuple[float, float]) -> _Layout | None:
    """Place the curves and their names in one panel; return None where they are to be stacked instead."""
    if len(curves) > _TOGETHER or _is_uneven(curves, span=span):
        return None
    defined = [curve for curve in curves if len(curve.values)]
    width = frame.inner - _LEFT - 0.12
    at = np.linspace(*span, _COLUMNS)
    lines = [_compute_density(curve, at) for curve in defined]
    highest = max((float(line.max()) for line in lines if line is not None), default=0.0) or 1.0
    points = [
        _find_peak(curve, line, at, highest=highest) for curve, line in zip(defined, lines, strict=True)
    ]
    places = [(width * x / span[1], _HEIGHT * y / highest) for x, y in points]
    texts = [shorten_text(format_name(curve.name), width=width, size=SIZES.label) for curve in defined]
    sizes = [(text_width(text, size=SIZES.label) + 0.02, text_height(1, size=SIZES.label)) for text in texts]
    skyline = _find_skyline(lines, points, span=span, highest=highest)
    boxes = place_labels(places, sizes, width=width, skyline=skyline)
    if measure_ties(places, boxes) > _LONGEST:
        return None
    return _Layout(
        at=at, lines=lines, points=points, places=places, texts=texts, boxes=boxes, width=width, top=highest
    )


def _overlay_curves(
    curves: Sequence[_Curve], layout: _Layout, frame: Frame, *, label: str, notes: Sequence[str]
) -> Sheet:
    defined = [curve for curve in curves if len(curve.values)]
    width, boxes = layout.width, layout.boxes
    # The panel grows with the labels; the curves keep their height.
    height = max([_HEIGHT, *(box.low + box.height for box in boxes)]) + 0.02
    missing = [format_name(curve.name) for curve in curves if not len(curve.values)]
    extra = [f"undefined on every image: {', '.join(missing)}"] if missing else []
    sheet = open_sheet(frame, body=height + scale_height(label, width=width), notes=[*notes, *extra])
    axes = sheet.axes(_LEFT, 0, width=width, height=height)
    axes.set_xlim(layout.at[0], layout.at[-1])
    axes.set_ylim(0, layout.top * height / _HEIGHT)
    axes.set_xlabel(label)
    axes.set_ylabel("density (1 / embedding unit)")
    for curve, line, point in zip(defined, layout.lines, layout.points, strict=True):
        _add_curve(axes, curve, line, at=layout.at, point=point)
    for text, curve, place, box in zip(layout.texts, defined, layout.places, boxes, strict=True):
        _add_label(axes, text, look=curve.look, place=place, box=box, panel=(width, height))
    if all(line is None for line in layout.lines):
        axes.set_yticks([])
    return sheet


def _find_skyline(
    lines: Sequence[Float64[np.ndarray, " points"] | None],
    points: Sequence[tuple[float, float]],
    *,
    span: tuple[float, float],
    highest: float,
) -> Float64[np.ndarray, " points"]:
    """Return the height of the highest curve from the left side of the panel to the right, in inches."""
    found = np.zeros(_COLUMNS)
    for line, (x, y) in zip(lines, points, strict=True):
        if line is None:
            column = round(x / span[1] * (_COLUMNS - 1))
            found[max(column - 1, 0) : column + 2] = max(found[column], y)
        else:
            found = np.maximum(found, line)
    return _HEIGHT * found / highest


def _compute_density(
    curve: _Curve, at: Float64[np.ndarray, " points"]
) -> Float64[np.ndarray, " points"] | None:
    """Return the density; None where all values are equal."""
    return density(curve.values, at=at, bounds=_BOUNDS) if has_density(curve.values) else None


def _find_peak(
    curve: _Curve,
    line: Float64[np.ndarray, " points"] | None,
    at: Float64[np.ndarray, " points"],
    *,
    highest: float,
) -> tuple[float, float]:
    """Return the highest point of a curve; the end of an upright line where all values are equal."""
    if line is None:
        return float(curve.values[0]), 0.5 * highest
    top = int(line.argmax())
    return float(at[top]), float(line[top])


def _add_curve(
    axes: Axes,
    curve: _Curve,
    line: Float64[np.ndarray, " points"] | None,
    *,
    at: Float64[np.ndarray, " points"],
    point: tuple[float, float],
) -> None:
    look = curve.look
    if line is None:
        axes.plot([point[0]] * 2, [0, point[1]], color=look.edge, linestyle=look.line, linewidth=1.4)
        return
    axes.fill_between(at, line, color=look.colour, alpha=0.18, linewidth=0)
    axes.plot(at, line, color=look.edge, linestyle=look.line, linewidth=1.1)


def _add_label(
    axes: Axes,
    text: str,
    *,
    look: Look,
    place: tuple[float, float],
    box: Box,
    panel: tuple[float, float],
) -> None:
    """Add a curve's name above its peak, tied to it by a line where the name had to move away."""
    x, y = box.foot
    if not is_near(place, box):
        axes.plot(
            [place[0] / panel[0], x / panel[0]],
            [place[1] / panel[1], y / panel[1]],
            transform=axes.transAxes,
            color=look.text,
            linewidth=0.5,
            clip_on=False,
        )
    axes.text(
        x / panel[0],
        y / panel[1],
        text,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        size=SIZES.label,
        color=look.text,
    )


def _write_alt(material: Material, curves: Sequence[_Curve], *, span: tuple[float, float]) -> str:
    each = "; ".join(
        f"{format_name(curve.name)} {format_number(find_peak(curve.values, span=span, bounds=_BOUNDS))}"
        for curve in curves
    )
    return (
        "Density over images of the L2 distance between the raw embeddings of original and view. Each"
        f" transform's peak: {each}. {material.format_sample(['l2'])}."
    )
