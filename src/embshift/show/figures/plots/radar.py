"""Radar charts (S19): the metrics of each transform between the best and the worst of all transforms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes

from embshift.show.figures import Page, figure
from embshift.show.figures.layout.bars import scale_start
from embshift.show.figures.layout.labels import format_name, text_height, text_width, wrap_text
from embshift.show.figures.layout.panels import Grid, make_grid, split_pages
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import GREY, INK, PALE, SIZES, Look, assign_looks
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number
from embshift.show.text.summary import short_name

__all__ = ["radar"]

_SPOKE = text_height(1, size=SIZES.small) + 0.05
"""Inches for the names of the spokes above and below."""

_LEAST = 0.66
"""Inches of the smallest circle."""


@figure(
    name="radar",
    question="Where does each transform stand between the best and the worst?",
    shows="the performance metrics of each transform against the best and the worst of all",
    source="Fig. 3",
    more_shift="inward",
    needs_metrics=(),
    needs_performance=3,
)
def radar(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render one panel for each transform, with one spoke for each metric and outlines of best and worst."""
    means, names = material.compute_means(), material.run.transforms
    metrics = [short_name(spec.name) for spec in material.performance]
    spokes = _name_spokes(metrics, panels=len(names), width=frame.inner)
    key = [] if spokes == metrics else _write_key(metrics, width=frame.inner)
    below = text_height(len(key), size=SIZES.small)
    places, head, radius = _arrange_panels(names, spokes, width=frame.inner, high=frame.highest)
    low = scale_start(means)
    notes = [
        material.format_sample([spec.name for spec in material.performance]),
        "filled: means over images · full line: best of all transforms on each metric, dotted: worst ·"
        f" rings: {_format_mark((1 + low) / 2)} and 1, centre {_format_mark(low)}; pure numbers,"
        " 1: like the original",
        material.format_map_note(),
    ]
    best, worst = _find_extremes(means)
    marks = assign_looks(names)
    for page in split_pages(range(len(names)), places):
        sheet = open_sheet(frame, body=places.body(len(page)) + below, notes=[note for note in notes if note])
        for at, transform in enumerate(page):
            left, top = places.place(at)
            middle = left + places.width / 2
            _add_title(sheet, names[transform], middle=middle, low=top + head, width=places.width)
            upper = top + head + _SPOKE
            axes = sheet.axes(middle - radius, upper, width=2 * radius, height=2 * radius)
            web = _Web(axes=axes, radius=radius, low=low)
            _add_spokes(web, spokes)
            _add_outline(web, best, {"color": INK, "linewidth": 0.7})
            _add_outline(web, worst, {"color": INK, "linewidth": 0.8, "linestyle": ":"})
            _add_shape(web, means[transform], marks[names[transform]])
        sheet.text(0, places.body(len(page)), "\n".join(key), size=SIZES.small, linespacing=1.1)
        yield Page(
            figure=sheet.figure, alt=_write_alt([names[at] for at in page], metrics, means[list(page)])
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Web:
    """Panel whose coordinates are inches from its centre."""

    axes: Axes
    radius: float
    low: float

    def points(
        self, values: Float64[np.ndarray, " metrics"]
    ) -> tuple[Float64[np.ndarray, " metrics"], Float64[np.ndarray, " metrics"]]:
        """Return the coordinates of values on the spokes, clockwise from the one that points up."""
        turns = np.arange(len(values)) * 2 * np.pi / len(values)
        reach = self.radius * (values - self.low) / (1 - self.low)
        return reach * np.sin(turns), reach * np.cos(turns)


def _format_mark(value: float) -> str:
    """Format a mark of the scale as the shortest exact number."""
    return f"{value:g}".replace("-", "−")


def _name_spokes(metrics: Sequence[str], *, panels: int, width: float) -> list[str]:
    """Return the names of the spokes: numbers where names would leave room for one or two panels only."""
    fit = int(width / (2 * _measure_names(metrics) + _LEAST))
    return list(metrics) if fit >= min(3, panels) else [str(at) for at in range(1, len(metrics) + 1)]


def _write_key(metrics: Sequence[str], *, width: float) -> list[str]:
    """Return the lines that say which number stands for which metric."""
    pairs = [f"{at}:\u00a0{name}".replace(" ", "\u00a0") for at, name in enumerate(metrics, start=1)]
    return wrap_text(" · ".join(pairs), width=width, size=SIZES.small)


def _measure_names(spokes: Sequence[str]) -> float:
    """Return the inches beside a circle for the longest name of a spoke."""
    return max(text_width(name, size=SIZES.small) for name in spokes) + 0.1


def _arrange_panels(
    names: Sequence[str], spokes: Sequence[str], *, width: float, high: float
) -> tuple[Grid, float, float]:
    """Return the grid, the height of the titles and a radius that leaves room for the names of the spokes."""
    beside = _measure_names(spokes)
    across = make_grid(len(names), width=width, least=2 * beside + _LEAST, height=1.0).width
    radius = min(across / 2 - beside, 0.5 if width > 4 else 0.33)
    # With an odd number of spokes none points down, and their names need less room below the circle.
    below = _SPOKE - radius * (1 - np.cos(np.pi / len(spokes)) if len(spokes) % 2 else 0.0)
    head = text_height(max(len(_wrap_name(name, width=across)) for name in names), size=SIZES.label) + 0.02
    height = head + 2 * radius + _SPOKE + float(below) + 0.04
    places = make_grid(len(names), width=width, least=2 * beside + _LEAST, height=height, high=high)
    return places, head, radius


def _wrap_name(name: str, *, width: float) -> list[str]:
    return wrap_text(format_name(name), width=width - 0.1, size=SIZES.label, lines=3, weight="bold")


def _find_extremes(
    means: Float64[np.ndarray, "transforms metrics"],
) -> tuple[Float64[np.ndarray, " metrics"], Float64[np.ndarray, " metrics"]]:
    """Return the largest and the smallest mean of each metric; NaN where no transform has one."""
    known = ~np.isnan(means)
    best = np.where(known, means, -np.inf).max(axis=0)
    worst = np.where(known, means, np.inf).min(axis=0)
    return np.where(known.any(axis=0), best, np.nan), np.where(known.any(axis=0), worst, np.nan)


def _add_title(sheet: Sheet, name: str, *, middle: float, low: float, width: float) -> None:
    for line, text in enumerate(reversed(_wrap_name(name, width=width)), start=1):
        top = low - line * text_height(1, size=SIZES.label)
        sheet.text(middle, top, text, weight="bold", ha="center")


def _add_spokes(web: _Web, metrics: Sequence[str]) -> None:
    web.axes.set_xlim(-web.radius, web.radius)
    web.axes.set_ylim(-web.radius, web.radius)
    web.axes.axis("off")
    for share in (0.5, 1.0):
        ring = np.full(len(metrics), web.low + share * (1 - web.low))
        _add_outline(web, ring, {"color": PALE, "linewidth": 0.6})
    outer = np.stack(web.points(np.ones(len(metrics))), axis=1)
    for (x, y), name in zip(outer.tolist(), metrics, strict=True):
        web.axes.plot([0, x], [0, y], color=PALE, linewidth=0.6)
        away = 1 + 0.045 / web.radius
        # Names stand beside the circle, but above it at the top and below it at the bottom.
        across = "center" if abs(x) < 0.1 * web.radius else "left" if x > 0 else "right"
        up = "center" if abs(y) < 0.5 * web.radius else "bottom" if y > 0 else "top"
        web.axes.text(x * away, y * away, name, ha=across, va=up, size=SIZES.small, color=GREY)


def _add_outline(web: _Web, values: Float64[np.ndarray, " metrics"], line: Mapping[str, Any]) -> None:
    x, y = web.points(values)
    web.axes.plot([*x, x[0]], [*y, y[0]], clip_on=False, **line)


def _add_shape(web: _Web, values: Float64[np.ndarray, " metrics"], look: Look) -> None:
    """Add the shape of a transform; an undefined metric leaves its spoke free and the shape unfilled."""
    x, y = web.points(values)
    if not np.isnan(values).any():
        web.axes.fill(x, y, color=look.colour, alpha=0.45, linewidth=0)
    options: dict[str, Any] = {"color": look.edge, "linewidth": 1.1, "clip_on": False}
    web.axes.plot([*x, x[0]], [*y, y[0]], marker=look.marker, markersize=2.2, **options)


def _write_alt(
    names: Sequence[str], metrics: Sequence[str], means: Float64[np.ndarray, "transforms metrics"]
) -> str:
    parts = [
        f"{format_name(name)}: "
        + ", ".join(f"{m} {format_number(v)}" for m, v in zip(metrics, row.tolist(), strict=True))
        for name, row in zip(names, means, strict=True)
    ]
    return f"Radar charts of the performance metrics' means over images. {'; '.join(parts)}."
