"""``embshift sweep`` and ``embshift match``: results on stdout, messages on stderr."""

import argparse
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from embshift.cli.sweep_options import OPTIONS
from embshift.cli.terminal import harmless
from embshift.show.run import Run
from embshift.show.text.matched import format_matched, matched_table
from embshift.show.text.sweep import format_sweep, sweep_table

__all__ = ["match", "sweep"]

_NOTHING_READABLE = 3


def sweep(parsed: argparse.Namespace) -> int:
    """``embshift sweep``."""
    from embshift.cli.progress import reporter
    from embshift.measurement.studies.sweep import measure_sweep

    found = measure_sweep(
        parsed.sources,
        transforms=parsed.transforms,
        severities=parsed.severities,
        strengths=parsed.strengths,
        out=None if parsed.out is None else Path(parsed.out),
        reporter=reporter(quiet=parsed.quiet),
        **_options(parsed),
    )
    if _unreadable(found):
        return _NOTHING_READABLE
    curves = found.sweep()
    if parsed.format == "table":
        _print(sweep_table(curves))
        print(harmless(f"run folder: {found.folder}"))
    else:
        print(format_sweep(curves, style=parsed.format))
    return 0


def match(parsed: argparse.Namespace) -> int:
    """``embshift match``."""
    from embshift.cli.progress import reporter
    from embshift.measurement.studies.match import measure_matched

    found = measure_matched(
        parsed.sources,
        transforms=parsed.transforms,
        ssim=parsed.ssim,
        displacement=parsed.displacement,
        out=None if parsed.out is None else Path(parsed.out),
        reporter=reporter(quiet=parsed.quiet),
        **_options(parsed),
    )
    if _unreadable(found):
        return _NOTHING_READABLE
    groups = found.matched()
    if parsed.format == "table":
        _print(matched_table(groups))
        print(harmless(f"run folder: {found.folder}"))
    else:
        print(format_matched(groups, style=parsed.format))
    return 0


def _options(parsed: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(parsed, name) for name in OPTIONS} | {"metrics": parsed.metric}


def _unreadable(found: Run) -> bool:
    """Whether no picture could be used; says which could not."""
    counts, messages = found.info["counts"], Console(stderr=True, highlight=False)
    if counts["failed"] or counts["views_failed"]:
        text = (
            f"{counts['failed']:,} of {counts['images']:,} pictures and {counts['views_failed']:,} of"
            f" {counts['views']:,} views could not be used; 'embshift summarise' and the tables name them"
        )
        messages.print(harmless(text), markup=False, soft_wrap=True)
    return counts["failed"] == counts["images"]


def _print(table: Table) -> None:
    """On a terminal as wide as it is; elsewhere as wide as the table, so that nothing is cut."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200, no_color=True)
    console.print(table)
