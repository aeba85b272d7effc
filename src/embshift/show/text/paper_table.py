"""The summary as a table of a paper: LaTeX with booktabs, digits by the deviation, the best in bold."""

import math
import statistics
from collections.abc import Sequence

from embshift.analysis.shifts.table import Summary, SummaryRow
from embshift.core.named import find_position
from embshift.core.types import Direction
from embshift.show.text.latex import escape_latex, frame_latex, latex_tabular
from embshift.show.text.numbers import format_counts

__all__ = ["format_paper_table", "list_columns"]

_BESIDE = ("overall", "rank", "n")
_FEWEST, _MOST, _UNKNOWN = 0, 6, 4  # decimal places


def list_columns(summary: Summary) -> tuple[str, ...]:
    """Return the names of all columns: the metrics, "overall", "rank" and "n"."""
    return (*(spec.name for spec in summary.metrics), *_BESIDE)


def format_paper_table(
    summary: Summary, *, columns: Sequence[str] = (), caption: str = "", label: str = ""
) -> str:
    r"""Write the summary in LaTeX with booktabs rules.

    The places of a column follow its median deviation, of which two digits are shown. The mean closest to the
    original is bold, and an arrow shows which direction that is.

    Args:
        summary: The summary.
        columns: Names of `list_columns`, in the order wanted; all of them if empty.
        caption: Text of ``\caption``; a caption or a label puts the table into a ``table`` environment.
        label: Name for ``\label``.

    Raises:
        PlanError: If the label holds a character that LaTeX does not take in one.
        UnknownNameError: If there is no such column; the nearest are suggested.
    """
    known = list_columns(summary)
    shown = [known[find_position(known, name, kind="column")] for name in columns or known]
    rows = [
        [escape_latex(row.transform), *(_cell(summary, row, name) for name in shown)] for row in summary.rows
    ]
    header = ["transform", *(_heading(summary, name) for name in shown)]
    tabular = latex_tabular(f"l{'r' * len(shown)}", header, rows)
    return frame_latex(tabular, caption=caption, label=label)


def _heading(summary: Summary, name: str) -> str:
    if name in _BESIDE:
        return name
    spec = summary.metrics[find_position([one.name for one in summary.metrics], name, kind="metric")]
    arrow = r"$\uparrow$" if spec.direction is Direction.HIGHER else r"$\downarrow$"
    return f"{escape_latex(name.removesuffix('_similarity').replace('_', ' '))} {arrow}"


def _cell(summary: Summary, row: SummaryRow, name: str) -> str:
    if name == "n":
        return format_counts(cell.n for cell in row.cells.values())
    if name == "rank":
        return "--" if row.rank is None else str(row.rank)
    if name == "overall":
        performance = [spec.name for spec in summary.metrics if spec.performance]
        places = min((_places(summary, metric) for metric in performance), default=_UNKNOWN)
        return _number(row.overall, math.nan, places=places, best=row.rank == 1)
    cell = row.cells[name]
    best = row.transform in summary.closest(name)
    return _number(cell.mean, cell.deviation, places=_places(summary, name), best=best)


def _places(summary: Summary, metric: str) -> int:
    """Return the decimal places at which the median deviation of a metric has two digits."""
    deviations = [row.cells[metric].deviation for row in summary.rows]
    known = [one for one in deviations if not math.isnan(one) and one > 0]
    if not known:
        return _UNKNOWN
    return min(max(1 - math.floor(math.log10(statistics.median(known))), _FEWEST), _MOST)


def _number(mean: float, deviation: float, *, places: int, best: bool) -> str:
    if math.isnan(mean):
        return "--"
    text = f"{mean:.{places}f}"
    text = f"\\mathbf{{{text}}}" if best else text
    return f"${text}$" if math.isnan(deviation) else f"${text} \\pm {deviation:.{places}f}$"
