"""S15: metrics by transforms as a heat map, in the order of a tree and beside it, or of the plan."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.cluster.hierarchy import linkage

from embshift.core.errors import FigureError
from embshift.show.figures import Drawing, figure
from embshift.show.figures.layout.heat import Scale, bar_height, cells, colour_bar
from embshift.show.figures.layout.labels import shown, text_height, text_width
from embshift.show.figures.layout.rows import height_below, name_width, names_below, names_beside
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import SIZES, Look, looks
from embshift.show.figures.layout.trees import Tree, laid_out, tree_lines
from embshift.show.figures.material import Material
from embshift.show.text.numbers import format_number
from embshift.show.text.summary import short_name

__all__ = ["clustermap", "clustermap_profiles", "heatmap"]

_TREE, _ROW = 0.75, 0.24
"""Inches of a tree, and of a row of cells."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Table:
    """Means in the order in which they are drawn, and the tree that gave the order."""

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
)
def heatmap(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """The plain heat map."""
    table = _table(material, order=range(len(material.run.transforms)))
    yield _drawn(material, frame, table, notes=["order of the plan"])


@figure(
    name="clustermap",
    question="Do transforms that move embeddings alike also score alike?",
    shows="the heat map in the order of the dendrogram of embeddings, with that dendrogram",
    source="Fig. 8a",
)
def clustermap(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """Transforms in the order of S6's linkage: distances between views, not the metrics below it."""
    found = material.clusters
    tree = laid_out(found.tree)
    table = _table(material, order=tree.order, tree=tree, heights=f"{found.distance} distance")
    how = f"tree: {found.linkage} linkage of the mean {found.distance} distance between views of one image"
    yield _drawn(material, frame, table, notes=[f"{how}, as in the dendrogram"])


@figure(
    name="clustermap_profiles",
    question="Which transforms score alike on the metrics?",
    shows="the heat map in the order of a dendrogram of the metric profiles, with that dendrogram",
    source="Fig. 8a, the other reading",
)
def clustermap_profiles(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """Transforms clustered by their rows of means: not by their embeddings."""
    means = material.means()
    whole = np.flatnonzero(~np.isnan(means).any(axis=1)).tolist()
    if len(whole) < 2:
        raise FigureError(
            f"{material.run.folder} has {len(whole)} transform(s) with a value on every performance metric;"
            " clusters of profiles need two"
        )
    tree = laid_out(linkage(means[whole], method="average"))
    order = [whole[at] for at in tree.order]
    table = _table(material, order=order, tree=tree, heights="Euclidean distance")
    names = [shown(name) for at, name in enumerate(material.run.transforms) if at not in whole]
    left = [f"left out, since a metric is undefined: {', '.join(names)}"] if names else []
    notes = ["tree: average linkage of the Euclidean distance between the profiles shown", *left]
    yield _drawn(material, frame, table, notes=notes)


def _table(
    material: Material, *, order: Sequence[int], tree: Tree | None = None, heights: str = ""
) -> _Table:
    names, known = material.run.transforms, looks(material.run.transforms)
    return _Table(
        transforms=tuple(names[at] for at in order),
        metrics=tuple(short_name(spec.name) for spec in material.performance),
        means=material.means()[list(order)],
        marks=tuple(known[names[at]] for at in order),
        tree=tree,
        heights=heights,
    )


def _drawn(material: Material, frame: Frame, table: _Table, *, notes: Sequence[str]) -> Drawing:
    scale = Scale.to_one(table.means, label="mean over images (1:\u00a0like\u00a0the\u00a0original)")
    told = [
        material.counted([spec.name for spec in material.performance]),
        *notes,
        material.mapped(),
        "crossed: undefined" if np.isnan(table.means).any() else "",
    ]
    gutter = max(0.5, max(text_width(name, size=SIZES.label) for name in table.metrics) + 0.06)
    column = min((frame.inner - gutter - 0.05) / len(table.transforms), 0.9)
    notes = [note for note in told if note]
    if column >= text_height(1, size=SIZES.label):
        sheet = _columns(frame, table, scale=scale, notes=notes, gutter=gutter, column=column)
    else:
        sheet = _rows(frame, table, scale=scale, notes=notes)
    return Drawing(figure=sheet.figure, alt=_alt(table, told[1:-2]))


def _columns(
    frame: Frame, table: _Table, *, scale: Scale, notes: Sequence[str], gutter: float, column: float
) -> Sheet:
    """A column a transform, its name below; the tree above."""
    width, height = column * len(table.transforms), _ROW * len(table.metrics)
    names = height_below(table.transforms, column=column)
    above = _TREE + 0.05 if table.tree is not None else 0.0
    bar = min(2.6, frame.inner - gutter - 0.1)
    body = above + height + names + 0.08 + bar_height(scale, width=bar)
    sheet = open_sheet(frame, body=body, notes=notes)
    if table.tree is not None:
        branch = sheet.axes(gutter, 0, width=width, height=_TREE)
        tree_lines(branch, table.tree, lying=False)
        branch.set_xticks([])
        branch.spines["left"].set_visible(True)
        branch.locator_params(axis="y", nbins=3)
        branch.set_ylabel(table.heights.replace(" ", "\n", 1))
    panel = sheet.axes(gutter, above, width=width, height=height)
    cells(panel, table.means.T, scale=scale, size=(width, height))
    panel.tick_params(axis="y", length=0)
    panel.set_yticks(range(len(table.metrics)), table.metrics)
    names_below(panel, table.transforms, column=column, panel=height, marks=table.marks)
    colour_bar(sheet, gutter, above + height + names + 0.08, width=bar, scale=scale)
    return sheet


def _rows(frame: Frame, table: _Table, *, scale: Scale, notes: Sequence[str]) -> Sheet:
    """A row a transform, where there are more than columns have room for; the tree on the right."""
    gutter = name_width(table.transforms, most=0.46 * frame.inner) + 0.19
    height = 0.15 * len(table.transforms)
    beside = 0.6 if table.tree is not None else 0.12
    width = frame.inner - gutter - beside
    names = max(text_width(name, size=SIZES.label) for name in table.metrics) + 0.06
    bar = frame.inner - gutter - 0.12
    below = names + height + (0.4 if table.tree is not None else 0.08)
    sheet = open_sheet(frame, body=below + bar_height(scale, width=bar), notes=notes)
    panel = sheet.axes(gutter, names, width=width, height=height)
    cells(panel, table.means, scale=scale, size=(width, height))
    names_beside(panel, table.transforms, width=gutter - 0.05, panel=width, marks=table.marks)
    panel.xaxis.tick_top()
    panel.tick_params(axis="x", length=0)
    panel.set_xticks(range(len(table.metrics)), table.metrics, rotation=90)
    if table.tree is not None:
        branch = sheet.axes(gutter + width + 0.04, names, width=beside - 0.16, height=height)
        tree_lines(branch, table.tree, lying=True)
        branch.set_yticks([])
        branch.spines["bottom"].set_visible(True)
        branch.locator_params(axis="x", nbins=2)
        branch.set_xlabel(table.heights.replace(" ", "\n", 1), linespacing=1.05)
    colour_bar(sheet, gutter, below, width=bar, scale=scale)
    return sheet


def _alt(table: _Table, notes: Sequence[str]) -> str:
    told = list[str]()
    for name, row in zip(table.transforms, table.means, strict=True):
        means = ", ".join(f"{m} {format_number(v)}" for m, v in zip(table.metrics, row.tolist(), strict=True))
        told.append(f"{shown(name)}: {means}")
    return f"Heat map of means over images; {'; '.join(notes)}. In the order drawn: {'; '.join(told)}."
