"""S14: how the L2 distances of every transform are spread over images, labelled at the peak."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes

from embshift.show.figures import Drawing, figure
from embshift.show.figures.layout.density import bandwidth, density, has_density
from embshift.show.figures.layout.labels import fitted, shown, text_height, text_width
from embshift.show.figures.layout.placing import Box, placed
from embshift.show.figures.layout.ridges import peak, ridge
from embshift.show.figures.layout.rows import row_chart, scale_height
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import GREY, SIZES, Look, looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["l2_density"]

_BOUNDS = (0.0, float("inf"))
_TOGETHER = 12
"""Curves that can still be told apart in one panel; more stand one below the other."""

_UNEVEN = 8.0
"""Highest peak in the median one, above which the others would lie flat on the scale."""

_HEIGHT, _LEFT = 2.0, 0.42
"""Inches of the curves, and of the scale on their left."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Curve:
    """One transform: the distances of its images."""

    name: str
    look: Look
    values: Float64[np.ndarray, " images"]


@figure(
    name="l2_density",
    question="How are the distances of each transform spread over pictures?",
    shows="density of the L2 distance over images for each transform, labelled at its peak",
    source="Fig. 4b",
)
def l2_density(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """Curves in one panel; one below the other where they are many, or one much higher than the others."""
    curves, unit = _curves(material), next(spec.unit for spec in material.run.metrics if spec.name == "l2")
    span = (0.0, _furthest(curves))
    label = f"L2 distance between raw embeddings ({unit})"
    notes = [
        material.counted(["l2"]),
        "kernel density over images (Gaussian, Scott's bandwidth, mirrored at 0) · lower is closer to the"
        " original",
    ]
    if len(curves) > _TOGETHER or _uneven(curves, span=span):
        sheet = _one_below_the_other(curves, frame, label=label, notes=notes, span=span)
    else:
        sheet = _together(curves, frame, label=label, notes=notes, span=span)
    yield Drawing(figure=sheet.figure, alt=_alt(material, curves, span=span))


def _curves(material: Material) -> list[_Curve]:
    columns, known = material.column("l2"), looks(material.run.transforms)
    return [
        _Curve(name=name, look=known[name], values=columns[~np.isnan(columns[:, at]), at])
        for at, name in enumerate(material.run.transforms)
    ]


def _furthest(curves: Sequence[_Curve]) -> float:
    """Where the last curve has run out."""
    ends = [
        float(curve.values.max()) + (2 * bandwidth(curve.values) if has_density(curve.values) else 0.0)
        for curve in curves
        if len(curve.values)
    ]
    return 1.02 * max(ends, default=1.0) or 1.0


def _uneven(curves: Sequence[_Curve], *, span: tuple[float, float]) -> bool:
    """Whether one curve is so much higher than most that these could not be read beside it."""
    at = np.linspace(*span, 600)
    lines = [line for curve in curves if (line := _line(curve, at)) is not None]
    peaks = [float(line.max()) for line in lines]
    return bool(peaks) and max(peaks) > _UNEVEN * float(np.median(peaks))


def _one_below_the_other(
    curves: Sequence[_Curve], frame: Frame, *, label: str, notes: Sequence[str], span: tuple[float, float]
) -> Sheet:
    peaks = {curve.name: peak(curve.values, span=span, bounds=_BOUNDS) for curve in curves}
    ordered = sorted(curves, key=lambda curve: np.nan_to_num(peaks[curve.name], nan=np.inf))
    chart = row_chart(
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
        ridge(chart.axes, curve.values, base=at + 0.36, look=curve.look, span=span, bounds=_BOUNDS)
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


def _together(
    curves: Sequence[_Curve], frame: Frame, *, label: str, notes: Sequence[str], span: tuple[float, float]
) -> Sheet:
    drawn = [curve for curve in curves if len(curve.values)]
    width = frame.inner - _LEFT - 0.12
    at = np.linspace(*span, 600)
    lines = [_line(curve, at) for curve in drawn]
    highest = max((float(line.max()) for line in lines if line is not None), default=0.0) or 1.0
    points = [_peak(curve, line, at, highest=highest) for curve, line in zip(drawn, lines, strict=True)]
    places = [(width * x / span[1], _HEIGHT * y / highest) for x, y in points]
    texts = [fitted(shown(curve.name), width=width, size=SIZES.label) for curve in drawn]
    sizes = [(text_width(text, size=SIZES.label) + 0.02, text_height(1, size=SIZES.label)) for text in texts]
    boxes = placed(places, sizes, width=width)
    # The panel grows with the labels; the curves keep their height.
    height = max([_HEIGHT, *(box.low + box.height for box in boxes)]) + 0.02
    missing = [shown(curve.name) for curve in curves if not len(curve.values)]
    extra = [f"undefined on every image: {', '.join(missing)}"] if missing else []
    sheet = open_sheet(frame, body=height + scale_height(label, width=width), notes=[*notes, *extra])
    axes = sheet.axes(_LEFT, 0, width=width, height=height)
    axes.set_xlim(*span)
    axes.set_ylim(0, highest * height / _HEIGHT)
    axes.set_xlabel(label)
    axes.set_ylabel("density (1 / embedding unit)")
    for curve, line, point in zip(drawn, lines, points, strict=True):
        _draw(axes, curve, line, at=at, point=point)
    for text, curve, place, box in zip(texts, drawn, places, boxes, strict=True):
        _label(axes, text, look=curve.look, place=place, box=box, panel=(width, height))
    if all(line is None for line in lines):
        axes.set_yticks([])
    return sheet


def _line(curve: _Curve, at: Float64[np.ndarray, " points"]) -> Float64[np.ndarray, " points"] | None:
    """The density; None where there is no spread."""
    return density(curve.values, at=at, bounds=_BOUNDS) if has_density(curve.values) else None


def _peak(
    curve: _Curve,
    line: Float64[np.ndarray, " points"] | None,
    at: Float64[np.ndarray, " points"],
    *,
    highest: float,
) -> tuple[float, float]:
    """Where a curve is highest; without spread, the end of an upright line."""
    if line is None:
        return float(curve.values[0]), 0.5 * highest
    top = int(line.argmax())
    return float(at[top]), float(line[top])


def _draw(
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


def _label(
    axes: Axes,
    text: str,
    *,
    look: Look,
    place: tuple[float, float],
    box: Box,
    panel: tuple[float, float],
) -> None:
    """A curve's name above its peak, with a line to it where it had to move away."""
    x, y = box.left + box.width / 2, box.low
    if y - place[1] > 0.08:
        axes.plot(
            [place[0] / panel[0], x / panel[0]],
            [place[1] / panel[1], y / panel[1]],
            transform=axes.transAxes,
            color=GREY,
            linewidth=0.4,
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
        # In vector files an outlined text would be curves, and no text.
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.3},
    )


def _alt(material: Material, curves: Sequence[_Curve], *, span: tuple[float, float]) -> str:
    told = "; ".join(
        f"{shown(curve.name)} {format_number(peak(curve.values, span=span, bounds=_BOUNDS))}"
        for curve in curves
    )
    return (
        "Density over images of the L2 distance between the raw embeddings of original and view. Each"
        f" transform's peak: {told}. {material.counted(['l2'])}."
    )
