"""Network shares: which heads and layers make the shift, beside what exchanging them undoes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from embshift.analysis.inside.shares import PooledShares
from embshift.core.errors import FigureError, RunError
from embshift.core.words import count_noun
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.label_boxes import Box
from embshift.show.figures.layout.labels import format_name, shorten_text, text_height, text_width
from embshift.show.figures.layout.network_grid import NetworkGrid, count_columns, lay_out_network
from embshift.show.figures.layout.panels import Grid, make_grid, split_pages
from embshift.show.figures.layout.rows import marker_style
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.signed import SignedScale, add_signed_bar, signed_bar_height
from embshift.show.figures.layout.style import GREY, INK, PALE, SIZES, Look, assign_looks, ink_on
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number

__all__ = ["network_shares"]

_GAP = 0.14
"""Inches between the two grids of a transform, and after them."""

_FEW, _WIDE, _NARROW = 6.5, 0.24, 0.062
"""Columns up to which cells are wide enough for their numbers, and the least width of a cell in inches."""

_WIDEST, _LARGEST = 0.34, 0.08
"""Largest width of a cell with its number, and without, in inches."""

_LINE = text_height(1, size=SIZES.small)
_HEAD = text_height(1, size=SIZES.label) + 2 * _LINE + 0.04
"""Inches of a panel above its grids: the transform, what the grids show, and the numbers of the columns."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Panel:
    """Shares of one transform, and what patches recover."""

    shares: PooledShares
    recovered: Float64[np.ndarray, " components"]


@figure(
    name="network_shares",
    question="Which heads and layers make the shift, and does exchanging them undo it?",
    shows="share of every component of the network in the shift of each transform, beside the part of the"
    " shift that exchanging the component undoes",
    source="own: explanations",
    more_shift="red",
    needs_metrics=(),
    needs_explanation=True,
    needs="an explanation, made by embshift explain",
)
def network_shares(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render two grids of components for each transform, on as many pages as they take."""
    panels, looks = _make_panels(material), assign_looks(material.run.transforms)
    scale = SignedScale.of(
        np.concatenate([values for one in panels for values in (one.shares.share, one.recovered)]),
        label="part of the squared shift (below 0: against it)",
        rooted=True,
    )
    grid, places, gutter = _lay_out(material.explanation.components, len(panels), frame, scale=scale)
    width = min(2.6, frame.inner - 0.3)
    for page in split_pages(panels, places):
        body = places.body(len(page))
        sheet = open_sheet(
            frame, body=body + signed_bar_height(scale, width=width), notes=_write_notes(material, panels)
        )
        canvas = sheet.canvas()
        for at, panel in enumerate(page):
            left, top = places.place(at)
            look = looks[panel.shares.transform]
            _add_head(sheet, canvas, panel, look, place=(left, top), width=places.width - _GAP)
            for values, label, own, start in _list_grids(panel, material.explanation.kind, grid):
                corner = (left + gutter + start, top + _HEAD)
                sheet.text(corner[0], corner[1] - 2 * _LINE, label, size=SIZES.small, color=GREY)
                _add_grid(canvas, values, grid, scale=scale, corner=corner, certain=own)
            _add_rows(sheet, grid, corner=(left + gutter, top + _HEAD))
        add_signed_bar(sheet, 0.15, body, width=width, scale=scale)
        yield Page(figure=sheet.figure, alt=_write_alt(material, page))


def _make_panels(material: Material) -> list[_Panel]:
    found = material.explanation
    try:
        panels = [
            _Panel(shares=found.shares(name), recovered=found.patches(name).recovered.estimates.mean)
            for name in found.transforms
        ]
    except RunError as error:
        raise FigureError(str(error)) from error
    if not panels:
        raise FigureError(
            f"the explanation of {material.run.folder} holds no views; explain a run with readable images"
        )
    return panels


def _lay_out(
    components: Sequence[str], count: int, frame: Frame, *, scale: SignedScale
) -> tuple[NetworkGrid, Grid, float]:
    """Return the grid of one transform, the places of the transforms, and the inches left of a grid."""
    across = count_columns(components)
    names = (label for _, label in lay_out_network(components, cell=_WIDE).rows)
    gutter = max(text_width(name, size=SIZES.small) for name in names) + 0.05
    cell, largest = (_WIDE, _WIDEST) if across <= _FEW else (_NARROW, _LARGEST)
    fixed = gutter + 2 * _GAP
    least = min(fixed + 2 * across * cell, frame.inner)
    columns = make_grid(count, width=frame.inner, least=least, height=1.0).width
    grid = lay_out_network(components, cell=min((columns - fixed) / (2 * across), largest))
    high = frame.highest - signed_bar_height(scale, width=min(2.6, frame.inner - 0.3))
    height = _HEAD + grid.height + 0.12
    return grid, make_grid(count, width=frame.inner, least=least, height=height, high=high), gutter


def _write_notes(material: Material, panels: Sequence[_Panel]) -> list[str]:
    found, images = material.explanation, max(one.shares.images for one in panels)
    how = {"class": "the class token followed", "direct": "the sum that is read changed"}
    marks = (
        "outlined: certain, the joint 95 % interval of all components excludes 0"
        if any(one.shares.certain.any() for one in panels)
        else "nothing is certain; intervals need ten images"
        if all(np.isnan(one.shares.joint_low).all() for one in panels)
        else "no component is certain"
    )
    crossed = " · crossed: undefined" if any(np.isnan(one.recovered).any() for one in panels) else ""
    return [
        f"{count_noun(images, 'image')} · encoder {material.encoder}",
        f"rows: layers, columns: heads, from 0 · share: what a component adds · recovered: what taking its"
        f" part from the original undoes ({how.get(found.kind, found.kind)}) · {marks}{crossed}",
    ]


def _list_grids(
    panel: _Panel, kind: str, grid: NetworkGrid
) -> list[tuple[Float64[np.ndarray, " components"], str, Sequence[bool], float]]:
    """Return values, label, marks and left side of the two grids."""
    marks = panel.shares.certain.tolist()
    return [
        (panel.shares.share, "share", marks, 0.0),
        (panel.recovered, "recovered", [False] * len(marks), grid.width + _GAP),
    ]


def _add_head(
    sheet: Sheet, canvas: Axes, panel: _Panel, look: Look, *, place: tuple[float, float], width: float
) -> None:
    left, top = place
    middle = top + text_height(1, size=SIZES.label) / 2
    canvas.plot([left + 0.05], [middle], scalex=False, scaley=False, **marker_style(look))
    name = shorten_text(
        format_name(panel.shares.transform), width=width - 0.13, size=SIZES.label, weight="bold"
    )
    sheet.text(left + 0.13, middle, name, weight="bold", va="center")


def _add_rows(sheet: Sheet, grid: NetworkGrid, *, corner: tuple[float, float]) -> None:
    """Add the labels of the rows, once for both grids."""
    for middle, label in grid.rows:
        sheet.text(
            corner[0] - 0.03, corner[1] + middle, label, size=SIZES.small, ha="right", va="center_baseline"
        )


def _add_grid(
    canvas: Axes,
    values: Float64[np.ndarray, " components"],
    grid: NetworkGrid,
    *,
    scale: SignedScale,
    corner: tuple[float, float],
    certain: Sequence[bool],
) -> None:
    for middle, label in grid.columns:
        place = (corner[0] + middle, corner[1] - 0.02)
        canvas.text(*place, label, size=SIZES.small, ha="center", va="bottom", color=GREY)
    known = ~np.isnan(values)
    corners = [_list_corners(box, corner) for box in grid.cells]
    cells = [one for one, own in zip(corners, known, strict=True) if own]
    colours = scale.colours(values[known])
    _add_cells(canvas, cells, facecolors=colours, edgecolors=PALE, linewidths=0.3)
    unknown = [one for one, own in zip(corners, known, strict=True) if not own]
    _add_cells(canvas, unknown, facecolors=PALE, edgecolors="white", hatch="xxxxx", linewidths=0.3)
    marked = [one for one, own in zip(corners, certain, strict=True) if own]
    _add_cells(canvas, marked, facecolors="none", edgecolors=INK, linewidths=0.8, label="certain")
    _add_numbers(canvas, values[known], cells, colours)


def _list_corners(box: Box, corner: tuple[float, float]) -> list[tuple[float, float]]:
    left, top = box.left + corner[0], box.low + corner[1]
    right, low = left + box.width, top + box.height
    return [(left, top), (right, top), (right, low), (left, low)]


def _add_cells(canvas: Axes, cells: Sequence[Sequence[tuple[float, float]]], **style: Any) -> None:
    if cells:
        canvas.add_collection(PolyCollection(cells, **style), autolim=False)


def _add_numbers(
    canvas: Axes,
    values: Float64[np.ndarray, " cells"],
    cells: Sequence[Sequence[tuple[float, float]]],
    colours: Sequence[str],
) -> None:
    """Add the numbers where all of them fit."""
    texts = [format_number(value, places=2) for value in values.tolist()]
    across = max((text_width(text, size=SIZES.small) for text in texts), default=0.0)
    if not cells:
        return
    (left, top), (right, _), (_, low), _ = cells[0]
    if right - left < across + 0.03 or low - top < _LINE:
        return
    for text, cell, colour in zip(texts, cells, colours, strict=True):
        middle = (cell[0][0] + cell[1][0]) / 2, (cell[1][1] + cell[2][1]) / 2
        canvas.text(*middle, text, size=SIZES.small, ha="center", va="center_baseline", color=ink_on(colour))


def _write_alt(material: Material, page: Sequence[_Panel]) -> str:
    each = "; ".join(_describe(one) for one in page)
    return (
        f"Heat maps of the share of every component in the shift, each beside what exchanging the component"
        f" undoes, by encoder {material.encoder}. Largest certain component: {each}."
    )


def _describe(one: _Panel) -> str:
    """Format the largest certain component of one transform."""
    name, certain = format_name(one.shares.transform), one.shares.largest(1)
    if not certain:
        return f"{name}: none, of {count_noun(one.shares.images, 'image')}"
    recovered = one.recovered[one.shares.components.index(certain[0])]
    return (
        f"{name}: {certain[0]}, share {format_number(one.shares.of(certain[0]), places=2)}, recovered"
        f" {format_number(float(recovered), places=2)}, {int(one.shares.certain.sum())} certain"
    )
