"""``embshift compare``."""

import argparse
from typing import Any

from embshift.cli.commands.summaries import warn_if_unfinished
from embshift.cli.output.formatted import print_formatted
from embshift.cli.output.terminal import print_message, print_table

__all__ = ["compare"]


def compare(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift compare``."""
    from embshift.show.compare import compare as compare_runs
    from embshift.show.run import open_run
    from embshift.show.text.compared import compared_table

    runs = [open_run(folder) for folder in parsed.runs]
    for run in runs:
        warn_if_unfinished(run)
    given = {name: getattr(parsed, name) for name in ("by", "margin", "least_shared")}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    compared = compare_runs(*runs, **options)
    if parsed.format == "table":
        print_table(compared_table(compared.found))
    else:
        print_formatted(compared.format(parsed.format), parsed)
    if parsed.report is not None:
        print_message(f"report: {compared.report(parsed.report)}")
    for path in () if parsed.figures is None else compared.figures(parsed.figures):
        print_message(f"figure: {path}")
    return 0
