"""``embshift sweep`` and ``embshift match``."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from embshift.cli.catalogue.checks import check_encoder, check_names
from embshift.cli.commands.measure import NOTHING_READABLE
from embshift.cli.options.plan_options import plan_options
from embshift.cli.output.formatted import print_formatted
from embshift.cli.output.terminal import print_message, print_table, print_text

if TYPE_CHECKING:
    from rich.table import Table

    from embshift.show.run import Run

__all__ = ["match", "sweep"]


def sweep(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift sweep``."""
    _check_names(parsed)
    from embshift.measurement.studies.sweep import measure_sweep
    from embshift.show.text.sweep import format_sweep, sweep_table

    found = measure_sweep(
        parsed.sources, severities=parsed.severities, strengths=parsed.strengths, **_options(parsed)
    )
    return _finish(found, parsed, found.sweep, table=sweep_table, text=format_sweep)


def match(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift match``."""
    _check_names(parsed)
    from embshift.measurement.studies.match import measure_matched
    from embshift.show.text.matched import format_matched, matched_table

    found = measure_matched(
        parsed.sources, ssim=parsed.ssim, displacement=parsed.displacement, **_options(parsed)
    )
    return _finish(found, parsed, found.matched, table=matched_table, text=format_matched)


def _check_names(parsed: argparse.Namespace) -> None:
    """Raise for unknown names at once, before anything is imported that takes seconds."""
    check_names("transforms", parsed.transforms, "all")
    check_names("metrics", parsed.metrics)
    check_encoder(parsed.encoder)


def _options(parsed: argparse.Namespace) -> dict[str, Any]:
    """Return what both studies take beside the sources."""
    from embshift.cli.output.progress import reporter

    options = plan_options(parsed) | {"transforms": parsed.transforms}
    del options["sources"]
    return options | {"out": parsed.out, "reporter": reporter(quiet=parsed.quiet)}


def _finish(
    found: "Run",
    parsed: argparse.Namespace,
    analyse: Callable[[], Any],
    *,
    table: "Callable[[Any], Table]",
    text: Callable[..., str],
) -> int:
    """Print the result in the format that was asked for; return the exit code."""
    if _report_unusable(found):
        return NOTHING_READABLE
    result = analyse()
    if parsed.format == "table":
        print_table(table(result))
        print_text(f"run folder: {found.folder}")
    else:
        print_formatted(text(result, style=parsed.format), parsed)
    return 0


def _report_unusable(found: "Run") -> bool:
    """Say how much could not be used; return whether that is everything."""
    counts = found.info["counts"]
    if counts["failed"] or counts["views_failed"]:
        print_message(
            f"{counts['failed']:,} of {counts['images']:,} images and {counts['views_failed']:,} of"
            f" {counts['views']:,} views could not be used; the tables' columns status and error say why"
        )
    return counts["failed"] == counts["images"]
