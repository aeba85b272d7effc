"""Dendrogram of the transforms by the distance between their views (S6), cut into clusters."""

from collections.abc import Iterator, Mapping

from embshift.analysis.embeddings.clusters import Clusters
from embshift.core.words import count_noun
from embshift.show.figures import Page, figure
from embshift.show.figures.layout.labels import format_name, text_height, text_width, wrap_text
from embshift.show.figures.layout.rows import RowChart, open_row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import GREY, INK, SIZES, assign_looks, darken_colour
from embshift.show.figures.layout.trees import Tree, add_tree, lay_out_tree
from embshift.show.figures.material import Material
from embshift.show.text.names import join_names
from embshift.show.text.numbers import format_number

__all__ = ["dendrogram"]

_COLOURS = ("#0077BB", "#CC3311", "#009988", "#EE7733", "#33BBEE", "#EE3377")
"""Colours of clusters: Paul Tol's "vibrant" scheme; the transforms' own colours mark their names."""


@figure(
    name="dendrogram",
    question="Which transforms move embeddings alike?",
    shows="dendrogram of the mean distance between views, cut at the threshold, clusters coloured and listed",
    source="Fig. 4d",
    needs_metrics=(),
    needs="two transforms or more",
)
def dendrogram(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render a horizontal tree with names on the left and the threshold across; clusters are listed below."""
    found, known = material.clusters, assign_looks(material.run.transforms)
    tree, inks = lay_out_tree(found.tree), _assign_inks(found)
    names = [found.transforms[at] for at in tree.order]
    listing = _wrap_clusters(found, width=frame.inner)
    chart = open_row_chart(
        frame,
        names=names,
        label=f"mean {found.distance} distance between views of one image",
        notes=[
            f"{_count_noun(found)} · encoder {material.encoder} · {found.linkage} linkage",
            f"dashed line: threshold {format_number(found.threshold)}"
            " · colours and numbers: the clusters below it",
        ],
        row=0.2 if len(names) <= 12 else 0.155,
        below=text_height(len(listing), size=SIZES.label) + 0.1,
        marks=[known[name] for name in names],
    )
    nodes = [_find_cluster(found, leaves) for leaves in tree.leaves]
    colours = [GREY if label is None else inks[label] for label in nodes]
    add_tree(chart.axes, tree, lying=True, colours=colours, width=1.3)
    chart.axes.axvline(found.threshold, color=INK, linewidth=0.8, linestyle=(0, (3, 1.5)), zorder=2.5)
    chart.axes.spines["bottom"].set_visible(True)
    _add_numbers(chart, found, tree, inks)
    _add_list(chart, listing, inks)
    yield Page(figure=chart.sheet.figure, alt=_write_alt(material, found))


def _count_noun(found: Clusters) -> str:
    few, many = int(found.n.min()), int(found.n.max())
    return count_noun(many, "image") if few == many else f"{few:,} to {many:,} images"


def _assign_inks(found: Clusters) -> dict[int, str]:
    return {label: _COLOURS[at % len(_COLOURS)] for at, label in enumerate(found.members())}


def _find_cluster(found: Clusters, leaves: frozenset[int]) -> int | None:
    """Return the cluster that holds all leaves of a node; None above the cut."""
    labels = {int(found.labels[leaf]) for leaf in leaves}
    return labels.pop() if len(labels) == 1 else None


def _add_numbers(chart: RowChart, found: Clusters, tree: Tree, inks: Mapping[int, str]) -> None:
    """Add the number of each cluster where its branch crosses the threshold."""
    for label, members in found.members().items():
        leaves = frozenset(found.transforms.index(name) for name in members)
        chart.axes.text(
            found.threshold,
            tree.along[tree.leaves.index(leaves)],
            str(label),
            ha="center",
            va="center_baseline",
            size=SIZES.small,
            weight="bold",
            color=darken_colour(inks[label], contrast=4.5),
            bbox={"facecolor": "white", "edgecolor": inks[label], "boxstyle": "round,pad=0.18", "lw": 0.6},
            zorder=3,
        )


def _wrap_clusters(found: Clusters, *, width: float) -> list[tuple[int, str, str]]:
    """Return the lines of the list: cluster, its number on its first line only, names."""
    indent = text_width("00", size=SIZES.label) + 0.08
    lines = list[tuple[int, str, str]]()
    for label, members in found.members().items():
        names = ", ".join(format_name(name) for name in members)
        for line, text in enumerate(wrap_text(names, width=width - indent, size=SIZES.label)):
            lines.append((label, "" if line else str(label), text))
    return lines


def _add_list(chart: RowChart, listing: list[tuple[int, str, str]], inks: Mapping[int, str]) -> None:
    figure, line = chart.sheet.figure, text_height(1, size=SIZES.label)
    top = figure.get_figheight() - chart.sheet.head - 0.06 - len(listing) * line
    indent = text_width("00", size=SIZES.label) + 0.08
    for at, (label, number, text) in enumerate(listing):
        ink = darken_colour(inks[label], contrast=4.5)
        chart.sheet.text(indent - 0.06, top + at * line, number, color=ink, weight="bold", ha="right")
        chart.sheet.text(indent, top + at * line, text, color=ink)


def _write_alt(material: Material, found: Clusters) -> str:
    each = "; ".join(
        f"cluster {label}: {join_names([format_name(name) for name in names], most=64)}"
        for label, names in found.members().items()
    )
    merges = found.tree[:, 2]
    return (
        f"Dendrogram of {len(found.transforms)} transforms by the mean {found.distance} distance between"
        f" their views, {found.linkage} linkage, merged at {format_number(float(merges.min()))} to"
        f" {format_number(float(merges.max()))}; cut at {format_number(found.threshold)} it gives {each}."
        f" {_count_noun(found)}, encoder {material.encoder}."
    )
