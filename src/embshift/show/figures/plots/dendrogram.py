"""S6: the tree of transforms by the distance between their views, cut into clusters."""

from collections.abc import Iterator, Mapping

from embshift.analysis.embeddings.clusters import Clusters
from embshift.show.figures import Drawing, figure
from embshift.show.figures.layout.labels import shown, text_height, text_width, wrapped
from embshift.show.figures.layout.rows import RowChart, row_chart
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import GREY, INK, SIZES, looks, readable
from embshift.show.figures.layout.trees import Tree, laid_out, tree_lines
from embshift.show.figures.material import Material
from embshift.show.text.names import join_names
from embshift.show.text.numbers import format_number

__all__ = ["dendrogram"]

_COLOURS = ("#0077BB", "#CC3311", "#009988", "#EE7733", "#33BBEE", "#EE3377")
"""Paul Tol's "vibrant" scheme for clusters: the transforms' own colours stay at their names."""


@figure(
    name="dendrogram",
    question="Which transforms move embeddings alike?",
    shows="dendrogram of the mean distance between views, cut at the threshold, clusters coloured and listed",
    source="Fig. 4d",
)
def dendrogram(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """A lying tree: names on the left, distance to the right, the threshold across, clusters listed below."""
    found, known = material.clusters, looks(material.run.transforms)
    tree, inks = laid_out(found.tree), _inks(found)
    names = [found.transforms[at] for at in tree.order]
    listing = _listing(found, width=frame.inner)
    chart = row_chart(
        frame,
        names=names,
        label=f"mean {found.distance} distance between views of one image",
        notes=[
            f"{_images(found)} · encoder {material.encoder} · {found.linkage} linkage",
            f"dashed line: threshold {format_number(found.threshold)}"
            " · colours and numbers: the clusters below it",
        ],
        row=0.2 if len(names) <= 12 else 0.155,
        below=text_height(len(listing), size=SIZES.label) + 0.1,
        marks=[known[name] for name in names],
    )
    nodes = [_cluster(found, leaves) for leaves in tree.leaves]
    colours = [GREY if label is None else inks[label] for label in nodes]
    tree_lines(chart.axes, tree, lying=True, colours=colours, width=1.3)
    chart.axes.axvline(found.threshold, color=INK, linewidth=0.8, linestyle=(0, (3, 1.5)), zorder=2.5)
    chart.axes.spines["bottom"].set_visible(True)
    _numbers(chart, found, tree, inks)
    _list(chart, listing, inks)
    yield Drawing(figure=chart.sheet.figure, alt=_alt(material, found))


def _images(found: Clusters) -> str:
    few, many = int(found.n.min()), int(found.n.max())
    return f"{many:,} image{'' if many == 1 else 's'}" if few == many else f"{few:,} to {many:,} images"


def _inks(found: Clusters) -> dict[int, str]:
    return {label: _COLOURS[at % len(_COLOURS)] for at, label in enumerate(found.members())}


def _cluster(found: Clusters, leaves: frozenset[int]) -> int | None:
    """The cluster that all of a node's leaves are in; None above the cut."""
    labels = {int(found.labels[leaf]) for leaf in leaves}
    return labels.pop() if len(labels) == 1 else None


def _numbers(chart: RowChart, found: Clusters, tree: Tree, inks: Mapping[int, str]) -> None:
    """Each cluster's number where its branch crosses the threshold."""
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
            color=readable(inks[label], contrast=4.5),
            bbox={"facecolor": "white", "edgecolor": inks[label], "boxstyle": "round,pad=0.18", "lw": 0.6},
            zorder=3,
        )


def _listing(found: Clusters, *, width: float) -> list[tuple[int, str, str]]:
    """Lines of the list below: cluster, its number on its first line, names."""
    indent = text_width("00", size=SIZES.label) + 0.08
    lines = list[tuple[int, str, str]]()
    for label, members in found.members().items():
        names = ", ".join(shown(name) for name in members)
        for line, text in enumerate(wrapped(names, width=width - indent, size=SIZES.label)):
            lines.append((label, "" if line else str(label), text))
    return lines


def _list(chart: RowChart, listing: list[tuple[int, str, str]], inks: Mapping[int, str]) -> None:
    figure, line = chart.sheet.figure, text_height(1, size=SIZES.label)
    top = figure.get_figheight() - chart.sheet.head - 0.06 - len(listing) * line
    indent = text_width("00", size=SIZES.label) + 0.08
    for at, (label, told, text) in enumerate(listing):
        ink = readable(inks[label], contrast=4.5)
        chart.sheet.text(indent - 0.06, top + at * line, told, color=ink, weight="bold", ha="right")
        chart.sheet.text(indent, top + at * line, text, color=ink)


def _alt(material: Material, found: Clusters) -> str:
    told = "; ".join(
        f"cluster {label}: {join_names([shown(name) for name in names], most=64)}"
        for label, names in found.members().items()
    )
    merges = found.tree[:, 2]
    return (
        f"Dendrogram of {len(found.transforms)} transforms by the mean {found.distance} distance between"
        f" their views, {found.linkage} linkage, merged at {format_number(float(merges.min()))} to"
        f" {format_number(float(merges.max()))}; cut at {format_number(found.threshold)} it gives {told}."
        f" {_images(found)}, encoder {material.encoder}."
    )
