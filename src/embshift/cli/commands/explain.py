"""``embshift explain``, and the explanation of the demo."""

import argparse
from typing import TYPE_CHECKING

from embshift.cli.output.terminal import print_table, print_text

if TYPE_CHECKING:
    from embshift.runs.tables import RunTables

__all__ = ["ensure_explained", "explain"]


def explain(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift explain``."""
    from embshift.analysis.explanation import open_explanation
    from embshift.runs.tables import open_tables
    from embshift.show.text.explained import explained_table, format_explained

    run = open_tables(parsed.run)
    if not parsed.read_only:
        _measure(parsed)
    found = open_explanation(run)
    if parsed.format == "table":
        print_table(explained_table(found, show=parsed.show))
    else:
        print_text(format_explained(found, show=parsed.show, style=parsed.format))
    return 0


def _measure(parsed: argparse.Namespace) -> None:
    from embshift.cli.output.progress import reporter
    from embshift.measurement.studies.explain import TextRequest, explain_run

    texts = TextRequest(
        words=parsed.words,
        labels=parsed.labels,
        captions=parsed.captions,
        prompts=tuple(parsed.prompt or ()),
        vectors=parsed.vectors,
    )
    explain_run(
        parsed.run,
        images=parsed.images,
        patch=parsed.patch,
        patch_images=parsed.patch_images,
        seed=parsed.seed,
        texts=texts,
        reporter=reporter(quiet=parsed.quiet),
    )


def ensure_explained(run: "RunTables", *, quiet: bool) -> None:
    """Explain a run with the defaults, unless it is explained already, and print where that is.

    Args:
        run: The run.
        quiet: Whether to print only results and errors.
    """
    from embshift.cli.output.progress import reporter
    from embshift.measurement.studies.explain import explain_run
    from embshift.runs.explained import find_explained, is_complete, read_explained_record

    # An explanation with other options stays, so that the same command goes on working.
    if not (find_explained(run.folder) and is_complete(run.folder, read_explained_record(run.folder))):
        explain_run(run, reporter=reporter(quiet=quiet))
    print_text(f"explanation: {run.folder / 'explain'}")
