"""Tables of summaries and clusters: for a terminal, a paper, a spreadsheet, a program, a notebook."""

import math
from collections.abc import Mapping
from html import escape
from typing import Any

from rich.table import Table
from rich.text import Text

from embshift.analysis.embeddings.clusters import Clusters
from embshift.analysis.shifts.table import Cell, Summary, SummaryRow
from embshift.core.types import Capture
from embshift.show.text.fitting import natural_width
from embshift.show.text.markup import FORMATS, Cells, comma_separated, find_writer, open_console, open_table
from embshift.show.text.numbers import format_cell, format_counts, format_exact, write_json
from embshift.show.text.paper_table import format_paper_table

__all__ = [
    "CLOSEST",
    "clusters_table",
    "format_clusters",
    "format_summary",
    "short_name",
    "summary_html",
    "summary_table",
]

CLOSEST, FURTHEST = "▲", "▼"
_LEGEND = f"mean ± standard deviation over images · {CLOSEST} closest to the original, {FURTHEST} furthest"


def format_summary(summary: Summary, *, style: str) -> str:
    """Format a summary as text.

    Args:
        summary: The summary.
        style: A name in `FORMATS`; "csv" and "json" keep full precision, the others are rounded.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "table":
        return _render(summary_table(summary))
    if style == "json":
        return write_json(_summary_content(summary))
    if style == "csv":
        return comma_separated(*_summary_columns(summary))
    if style == "latex":
        return format_paper_table(summary)
    return find_writer(style, known=FORMATS)(*_summary_cells(summary))


def format_clusters(clusters: Clusters, *, style: str) -> str:
    """Format clusters as text.

    Args:
        clusters: The clusters.
        style: A name in `FORMATS`; "csv" and "json" keep full precision, the others are rounded.

    Raises:
        UnknownNameError: For another style.
    """
    if style == "table":
        return _render(clusters_table(clusters))
    if style == "json":
        return write_json(_clusters_content(clusters))
    return find_writer(style, known=FORMATS)(*_clusters_cells(clusters, exact=style == "csv"))


def _render(table: Table) -> str:
    console = open_console(width=max(160, natural_width(table)), no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def short_name(metric: str) -> str:
    """Return a metric's name as tables and figures print it, without "_similarity"."""
    return metric.removesuffix("_similarity")


def _counts(row: SummaryRow) -> str:
    return format_counts(cell.n for cell in row.cells.values())


def _caption(summary: Summary) -> str:
    found = sum(cell.undefined for row in summary.rows for cell in row.cells.values())
    undefined = f" · undefined values left out: {found:,}" if found else ""
    mapped = any(Capture.ATTENTION in spec.needs for spec in summary.metrics)
    own = f"\nattention: compares this encoder's {summary.map_name}"
    rounded = f"\n{summary.precision}" if summary.precision else ""
    own = own if mapped and summary.map_name != "attention map" else ""
    summed = f"\n{summary.parts}" if summary.parts else ""
    return _LEGEND + undefined + own + rounded + summed


def summary_table(summary: Summary, *, stacked: bool = False) -> Table:
    """Return the summary as a table for the terminal; each metric's closest and furthest row is marked.

    Args:
        summary: The summary.
        stacked: Whether to put the deviation below the mean, for a narrow terminal.
    """
    table = open_table(_caption(summary))
    table.add_column("transform", no_wrap=True)
    for spec in summary.metrics:
        table.add_column(short_name(spec.name), justify="right", no_wrap=True)
    table.add_column("overall", justify="right")
    table.add_column("rank", justify="right")
    table.add_column("n", justify="right", no_wrap=True)
    marks = _marks(summary)
    for row in summary.rows:
        cells = [_marked(row, spec.name, marks, sign="\n±" if stacked else " ±") for spec in summary.metrics]
        rank = "–" if row.rank is None else str(row.rank)
        table.add_row(row.transform, *cells, format_cell(row.overall), rank, _counts(row))
    return table


Marks = Mapping[str, tuple[frozenset[str], frozenset[str]]]


def _marks(summary: Summary) -> Marks:
    return {spec.name: (summary.closest(spec.name), summary.furthest(spec.name)) for spec in summary.metrics}


def _marked(row: SummaryRow, metric: str, marks: Marks, *, sign: str) -> str | Text:
    cell = row.cells[metric]
    closest, furthest = marks[metric]
    text = _mean_and_deviation(cell, sign=sign)
    if row.transform in closest:
        return Text(f"{CLOSEST} {text}", style="bold green")
    if row.transform in furthest:
        return Text(f"{FURTHEST} {text}", style="bold red")
    return text


def _summary_cells(summary: Summary) -> Cells:
    header = ["transform", *(spec.name for spec in summary.metrics), "overall", "rank", "n"]
    rows = [
        [
            row.transform,
            *(_mean_and_deviation(row.cells[spec.name]) for spec in summary.metrics),
            format_cell(row.overall),
            "–" if row.rank is None else str(row.rank),
            _counts(row),
        ]
        for row in summary.rows
    ]
    return header, rows


def _mean_and_deviation(cell: Cell, *, sign: str = " ± ") -> str:
    deviation = "" if math.isnan(cell.deviation) else f"{sign}{format_cell(cell.deviation)}"
    return f"{format_cell(cell.mean)}{deviation}"


def _summary_columns(summary: Summary) -> Cells:
    parts = ("mean", "deviation", "n", "undefined")
    header = [
        "transform",
        *(f"{spec.name}_{part}" for spec in summary.metrics for part in parts),
        "overall",
        "rank",
    ]
    rows = [
        [
            row.transform,
            *(
                format_exact(getattr(row.cells[spec.name], part))
                for spec in summary.metrics
                for part in parts
            ),
            format_exact(row.overall),
            "" if row.rank is None else str(row.rank),
        ]
        for row in summary.rows
    ]
    return header, rows


def _summary_content(summary: Summary) -> dict[str, Any]:
    rows = [
        {
            "transform": row.transform,
            "overall": row.overall,
            "rank": row.rank,
            "metrics": {name: _cell_content(cell) for name, cell in row.cells.items()},
        }
        for row in summary.rows
    ]
    metrics = [{"name": s.name, "unit": s.unit, "direction": str(s.direction)} for s in summary.metrics]
    told = {name: getattr(summary, name) for name in ("precision", "parts") if getattr(summary, name)}
    return {"map": summary.map_name, "metrics": metrics, "transforms": rows} | told


def _cell_content(cell: Cell) -> dict[str, Any]:
    return {
        "mean": cell.mean,
        "deviation": cell.deviation,
        "n": cell.n,
        "undefined": cell.undefined,
    }


def clusters_table(clusters: Clusters) -> Table:
    """Return the clusters as a table for the terminal: distances in the order of the dendrogram."""
    names = [clusters.transforms[at] for at in clusters.order]
    how = f"{clusters.linkage} linkage · cut at {clusters.threshold:.4g}"
    caption = f"mean {clusters.distance} distance between views · {how}"
    table = open_table(caption)
    table.add_column("cluster", justify="right")
    table.add_column("transform", no_wrap=True)
    for name in names:
        table.add_column(name.replace("_", " "), justify="right", min_width=6, max_width=11)
    for at in clusters.order:
        distances = [format_cell(float(clusters.square[at, other])) for other in clusters.order]
        table.add_row(str(clusters.labels[at]), clusters.transforms[at], *distances)
    return table


def _clusters_cells(clusters: Clusters, *, exact: bool) -> Cells:
    write = format_exact if exact else format_cell
    names = [clusters.transforms[at] for at in clusters.order]
    rows = [
        [
            clusters.transforms[at],
            str(clusters.labels[at]),
            *(write(float(clusters.square[at, other])) for other in clusters.order),
        ]
        for at in clusters.order
    ]
    return ["transform", "cluster", *names], rows


def _clusters_content(clusters: Clusters) -> dict[str, Any]:
    return {
        "transforms": list(clusters.transforms),
        "distance": clusters.distance,
        "linkage": clusters.linkage,
        "threshold": clusters.threshold,
        "condensed": clusters.condensed.tolist(),
        "square": clusters.square.tolist(),
        "tree": clusters.tree.tolist(),
        "labels": clusters.labels.tolist(),
        "order": list(clusters.order),
        "n": clusters.n.tolist(),
        "note": clusters.note,
    }


def summary_html(summary: Summary, *, title: str) -> str:
    """Write the summary as an HTML table, for a notebook."""
    header, rows = _summary_cells(summary)
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    caption = f"<caption>{escape(title)}: {escape(_caption(summary))}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
