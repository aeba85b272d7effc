"""Heat maps of metrics by transforms (S15), in the order of the plan or of a tree shown with them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.cluster.hierarchy import linkage

from embshift.core.errors import FigureError
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.heat import Scale, add_cells, add_colour_bar, colour_bar_height
from embshift.show.figures.layout.labels import format_name, text_height, text_width
from embshift.show.figures.layout.rows import (
    add_names_below,
    add_names_beside,
    fit_row,
    name_width,
    names_height,
)
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import SIZES, Look, assign_looks
from embshift.show.figures.layout.trees import Tree, add_tree, lay_out_tree
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number
from embshift.show.text.summary import short_name

__all__ = ["clustermap", "clustermap_profiles", "heatmap"]

_TREE, _ROW = 0.75, 0.24
"""Height of a tree and of a row of cells in inches."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Means in the order in which they are shown, and the tree that gives the order."""

    transforms: tuple[str, ...]
    metrics: tuple[str, ...]
    means: Float64[np.ndarray, "transforms metrics"]
    marks: tuple[Look, ...]
    tree: Tree | None
    heights: str = ""


@figure(
    name="heatmap",
    question="How does each transform score on each metric?",
    shows="means of the performance metrics by transform, in the order of the plan",
    source="Fig. 8a",
    more_shift="dark",
    needs_metrics=(),
    needs_performance=1,
)
def heatmap(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render the heat map in the order of the plan."""
    table = _make_table(material, order=range(len(material.run.transforms)))
    yield _render_table(material, frame, table, notes=["order of the plan"])


@figure(
    name="clustermap",
    question="Do transforms that move embeddings alike also score alike?",
    shows="the heat map in the order of the dendrogram of embeddings, with that dendrogram",
    source="Fig. 8a",
    more_shift="dark",
    needs_metrics=(),
    needs_performance=1,
    needs="two transforms or more",
)
def clustermap(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render the heat map in the order of the dendrogram: of distances between views, not of the metrics."""
    found = material.clusters
    tree = lay_out_tree(found.tree)
    table = _make_table(material, order=tree.order, tree=tree, heights=f"{found.distance} distance")
    how = f"tree: {found.linkage} linkage of the mean {found.distance} distance between views of one image"
    yield _render_table(material, frame, table, notes=[f"{how}, as in the dendrogram"])


@figure(
    name="clustermap_profiles",
    question="Which transforms score alike on the metrics?",
    shows="the heat map in the order of a dendrogram of the metric profiles, with that dendrogram",
    source="Fig. 8a, the other reading",
    more_shift="dark",
    needs_metrics=(),
    needs_performance=1,
    needs="two transforms with a value of every performance metric",
)
def clustermap_profiles(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render the heat map with the transforms clustered by their means, not by their embeddings."""
    means = material.compute_means()
    whole = np.flatnonzero(~np.isnan(means).any(axis=1)).tolist()
    if len(whole) < 2:
        raise FigureError(
            f"{material.run.folder} holds {len(whole)} transform{'s' * (len(whole) != 1)} with a value of"
            " every performance metric; clusters of profiles need two"
        )
    tree = lay_out_tree(linkage(means[whole], method="average"))
    order = [whole[at] for at in tree.order]
    table = _make_table(material, order=order, tree=tree, heights="Euclidean distance")
    names = [format_name(name) for at, name in enumerate(material.run.transforms) if at not in whole]
    left = [f"left out, since a metric is undefined: {', '.join(names)}"] if names else []
    notes = ["tree: average linkage of the Euclidean distance between the profiles shown", *left]
    yield _render_table(material, frame, table, notes=notes)


def _make_table(
    material: Material, *, order: Sequence[int], tree: Tree | None = None, heights: str = ""
) -> _Table:
    names, known = material.run.transforms, assign_looks(material.run.transforms)
    return _Table(
        transforms=tuple(names[at] for at in order),
        metrics=tuple(short_name(spec.name) for spec in material.performance),
        means=material.compute_means()[list(order)],
        marks=tuple(known[names[at]] for at in order),
        tree=tree,
        heights=heights,
    )


def _render_table(material: Material, frame: Frame, table: _Table, *, notes: Sequence[str]) -> Page:
    scale = Scale.to_one(
        table.means,
        label="mean over images (1:\u00a0like\u00a0the\u00a0original, darker:\u00a0further)",
    )
    lines = [
        material.format_sample([spec.name for spec in material.performance]),
        *notes,
        material.format_map_note(),
        "crossed: undefined" if np.isnan(table.means).any() else "",
    ]
    gutter = max(0.5, max(text_width(name, size=SIZES.label) for name in table.metrics) + 0.06)
    column = min((frame.inner - gutter - 0.05) / len(table.transforms), 0.9)
    notes = [line for line in lines if line]
    if column >= text_height(1, size=SIZES.label):
        sheet = _lay_out_columns(frame, table, scale=scale, notes=notes, gutter=gutter, column=column)
    else:
        sheet = _lay_out_rows(frame, table, scale=scale, notes=notes)
    return Page(figure=sheet.figure, alt=_write_alt(table, lines[1:-2]))


def _lay_out_columns(
    frame: Frame, table: _Table, *, scale: Scale, notes: Sequence[str], gutter: float, column: float
) -> Sheet:
    """Lay out one column for each transform, its name below; the tree is above."""
    width, height = column * len(table.transforms), _ROW * len(table.metrics)
    names = names_height(table.transforms, column=column)
    above = _TREE + 0.05 if table.tree is not None else 0.0
    bar = min(2.6, frame.inner - gutter - 0.1)
    body = above + height + names + 0.08 + colour_bar_height(scale, width=bar)
    sheet = open_sheet(frame, body=body, notes=notes)
    if table.tree is not None:
        branch = sheet.axes(gutter, 0, width=width, height=_TREE)
        add_tree(branch, table.tree, lying=False)
        branch.set_xticks([])
        branch.spines["left"].set_visible(True)
        branch.locator_params(axis="y", nbins=3)
        branch.set_ylabel(table.heights.replace(" ", "\n", 1))
    panel = sheet.axes(gutter, above, width=width, height=height)
    add_cells(panel, table.means.T, scale=scale, size=(width, height))
    panel.tick_params(axis="y", length=0)
    panel.set_yticks(range(len(table.metrics)), table.metrics)
    add_names_below(panel, table.transforms, column=column, panel=height, marks=table.marks)
    add_colour_bar(sheet, gutter, above + height + names + 0.08, width=bar, scale=scale)
    return sheet


def _lay_out_rows(frame: Frame, table: _Table, *, scale: Scale, notes: Sequence[str]) -> Sheet:
    """Lay out one row for each transform, where columns are too many to fit; the tree is on the right."""
    gutter = name_width(table.transforms, most=0.46 * frame.inner) + 0.19
    height = fit_row(0.15, count=len(table.transforms), below=0.6) * len(table.transforms)
    beside = 0.6 if table.tree is not None else 0.12
    width = frame.inner - gutter - beside
    names = max(text_width(name, size=SIZES.label) for name in table.metrics) + 0.06
    bar = frame.inner - gutter - 0.12
    below = names + height + (0.4 if table.tree is not None else 0.08)
    sheet = open_sheet(frame, body=below + colour_bar_height(scale, width=bar), notes=notes)
    panel = sheet.axes(gutter, names, width=width, height=height)
    add_cells(panel, table.means, scale=scale, size=(width, height))
    add_names_beside(panel, table.transforms, width=gutter - 0.05, panel=width, marks=table.marks)
    panel.xaxis.tick_top()
    panel.tick_params(axis="x", length=0)
    panel.set_xticks(range(len(table.metrics)), table.metrics, rotation=90)
    if table.tree is not None:
        branch = sheet.axes(gutter + width + 0.04, names, width=beside - 0.16, height=height)
        add_tree(branch, table.tree, lying=True)
        branch.set_yticks([])
        branch.spines["bottom"].set_visible(True)
        branch.locator_params(axis="x", nbins=2)
        branch.set_xlabel(table.heights.replace(" ", "\n", 1), linespacing=1.05)
    add_colour_bar(sheet, gutter, below, width=bar, scale=scale)
    return sheet


def _write_alt(table: _Table, notes: Sequence[str]) -> str:
    rows = list[str]()
    for name, row in zip(table.transforms, table.means, strict=True):
        means = ", ".join(f"{m} {format_number(v)}" for m, v in zip(table.metrics, row.tolist(), strict=True))
        rows.append(f"{format_name(name)}: {means}")
    return f"Heat map of means over images; {'; '.join(notes)}. In the order shown: {'; '.join(rows)}."
