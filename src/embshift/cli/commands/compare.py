"""``embshift compare``."""

import argparse
from typing import Any

from embshift.cli.commands.summaries import warn_if_unfinished
from embshift.cli.output.formatted import print_formatted
from embshift.cli.output.terminal import print_message, print_table
from embshift.core.errors import UsageError

__all__ = ["compare"]


def compare(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift compare``."""
    _check_look(parsed)
    from embshift.core.paths import output_file
    from embshift.runs.targets import check_target
    from embshift.show.compare import compare as compare_runs
    from embshift.show.run import open_run
    from embshift.show.text.compared import compared_table

    if parsed.report is not None:  # what cannot be written is refused before anything is computed
        check_target(output_file(parsed.report), kind="comparison")
    runs = [open_run(folder) for folder in parsed.runs]
    for run in runs:
        warn_if_unfinished(run, name=str(run.folder))
    given = {name: getattr(parsed, name) for name in ("by", "margin", "least_shared")}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    compared = compare_runs(*runs, **options)
    if parsed.format == "table":
        print_table(compared_table(compared.found))
    else:
        print_formatted(compared.format(parsed.format), parsed)
    if parsed.report is not None:
        print_message(f"report: {compared.report(parsed.report)}")
    if parsed.figures is not None:
        look = {"width": parsed.figure_width, "plain": parsed.figure_plain, "style": parsed.figure_style}
        for path in compared.figures(parsed.figures, formats=parsed.figure_format or ("png",), **look):
            print_message(f"figure: {path}")
    return 0


def _check_look(parsed: argparse.Namespace) -> None:
    """Raise `UsageError` where figures are described and none are asked for."""
    for option in ("figure_format", "figure_plain", "figure_style"):
        if getattr(parsed, option) and parsed.figures is None:
            raise UsageError(f"--{option.replace('_', '-')} belongs to --figures FOLDER")
