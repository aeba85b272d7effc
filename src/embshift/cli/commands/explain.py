"""``embshift explain``."""

import argparse
from typing import TYPE_CHECKING

from embshift.cli.output.terminal import print_table, print_text

if TYPE_CHECKING:
    from embshift.runs.tables import RunTables

__all__ = ["explain"]


def explain(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift explain``."""
    from embshift.analysis.explanation import open_explanation
    from embshift.runs.tables import open_tables
    from embshift.show.text.explained import explained_table, format_explained

    run = open_tables(parsed.run)
    if not parsed.read_only:
        _measure(run, parsed)
    found = open_explanation(run)
    if parsed.format == "table":
        print_table(explained_table(found, show=parsed.show))
    else:
        print_text(format_explained(found, show=parsed.show, style=parsed.format))
    return 0


def _measure(run: "RunTables", parsed: argparse.Namespace) -> None:
    from embshift.cli.output.progress import reporter
    from embshift.measurement.studies.of_run import explain as explain_run

    explain_run(
        run,
        images=parsed.images,
        patch=parsed.patch,
        patch_images=parsed.patch_images,
        seed=parsed.seed,
        words=parsed.words,
        labels=parsed.labels,
        captions=parsed.captions,
        prompts=tuple(parsed.prompt or ()),
        vectors=parsed.vectors,
        reporter=reporter(quiet=parsed.quiet),
    )
