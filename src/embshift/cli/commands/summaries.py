"""``embshift summarise`` and ``embshift clusters``."""

import argparse
from typing import TYPE_CHECKING

from embshift.cli.options.show_options import check_show_options
from embshift.cli.output.formatted import print_formatted
from embshift.cli.output.terminal import print_message, print_table
from embshift.core.words import count_noun

if TYPE_CHECKING:
    from embshift.analysis.shifts.table import Summary
    from embshift.show.run import Run

__all__ = ["clusters", "print_summary", "summarise", "warn_if_unfinished"]


def summarise(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift summarise``."""
    check_show_options(parsed)
    from embshift.show.run import open_run
    from embshift.show.text.summary import format_summary

    found = open_run(parsed.run)
    if parsed.show != "shifts":
        return _show_measure(found, parsed)
    summary = found.summary()
    warn_if_unfinished(found)
    if parsed.format == "table":
        print_summary(summary)
    elif parsed.format == "latex":
        from embshift.show.text.paper_table import format_paper_table

        print_formatted(format_paper_table(summary, columns=parsed.columns or ()), parsed)
    else:
        print_formatted(format_summary(summary, style=parsed.format), parsed)
    return 0


def _show_measure(found: "Run", parsed: argparse.Namespace) -> int:
    from embshift.cli.commands.measures import measure_table

    warn_if_unfinished(found)
    wanted = measure_table(found, parsed)
    if isinstance(wanted, str):
        print_formatted(wanted, parsed)
    else:
        print_table(wanted)
    return 0


def clusters(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift clusters``."""
    from embshift.show.run import open_run
    from embshift.show.text.summary import clusters_table, format_clusters

    opened = open_run(parsed.run)
    warn_if_unfinished(opened)
    found = opened.clusters(distance=parsed.distance, linkage=parsed.linkage, threshold=parsed.threshold)
    if parsed.format == "table":
        print_table(clusters_table(found))
    else:
        print_formatted(format_clusters(found, style=parsed.format), parsed)
    if found.note and not parsed.quiet:
        print_message(f"note: {found.note}")
    return 0


def print_summary(summary: "Summary") -> None:
    """Print the summary; on a narrow terminal the deviation stands below the mean."""
    from embshift.show.text.summary import summary_table

    print_table(summary_table(summary), stacked=summary_table(summary, stacked=True))


def warn_if_unfinished(found: "Run", *, name: str = "the run") -> None:
    """Print a note where a run is not finished.

    Args:
        found: The run.
        name: What it is called, where there are several.
    """
    if not found.finished:
        measured = len(found.images())
        verb = "is" if measured == 1 else "are"
        print_message(f"note: {name} is not finished; {count_noun(measured, 'image')} {verb} measured so far")
