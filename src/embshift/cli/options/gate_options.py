"""Options of ``embshift check``, ``embshift budget`` and ``embshift baseline``."""

import argparse

from embshift.cli.options.completers import complete, no_words, paths, words

__all__ = ["add_baseline_options", "add_budget_options", "add_check_options"]

_STATISTICS = ("relative_shift", "neighbour_ratio", "nearer_share", "recall_at_1", "cosine_shift")
"""Named here, since the help imports nothing heavy."""


def add_check_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that a check takes beside the run, and say what it does."""
    parser.description = (
        "Hold a run against budgets. A budget holds if the one-sided bound of the mean keeps to its limit, is"
        " broken if the bounds of all budgets together show so, and is undecided in between. Exit codes: 0"
        " holds, 1 broken, 2 wrong use or not comparable, 5 undecided."
    )
    add = parser.add_argument
    budget = add("--budget", metavar="FILE", help="a budget file; 'embshift budget RUN' writes one")
    require = add(
        "--require",
        metavar="TEXT",
        action="append",
        default=[],
        help="a budget on one line, e.g. 'recall_at_1(jpeg_s*) >= 0.98' or 'relative_shift(*) <= baseline +"
        " 0.01'; may be repeated",
    )
    baseline = add(
        "--baseline",
        metavar="FILE|RUN",
        help="what budgets on a difference compare with (default: the one that the budget file names)",
    )
    add(
        "--null",
        action="store_true",
        help="compare the run with itself: budgets on a difference must hold, and all others are skipped",
    )
    for name, what in (
        ("json", "the whole record"),
        ("junit", "a test case for each check: a failure if broken, an error if undecided"),
        ("markdown", "a summary with the worst five checks"),
        ("sarif", "what does not hold, at its line of the budget file"),
    ):
        complete(add(f"--{name}", metavar="FILE", help=f"write {what}"), paths)
    link = add("--link", metavar="URL", help="for --markdown: an address of more")
    for action in (budget, baseline):
        complete(action, paths)
    for action in (require, link):
        complete(action, no_words)


def add_budget_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that suggesting budgets takes beside the run, and say what it does."""
    parser.description = (
        "Write a budget file with limits that a run holds, looser by a slack, and say how many images each"
        " limit needs."
    )
    add = parser.add_argument
    out = add("--out", metavar="FILE", default="budget.toml", help="the file (default: %(default)s)")
    slack = add(
        "--slack",
        type=float,
        metavar="S",
        help="part of a mean, or of what it lacks to 1, by which its limit is looser (default: 0.25)",
    )
    statistic = add(
        "--statistic",
        action="append",
        choices=_STATISTICS,
        help="limit this statistic; may be repeated (default: relative_shift and recall_at_1)",
    )
    baseline = add(
        "--baseline", metavar="FILE|RUN", help="also limit how much worse than this relative shift may be"
    )
    margin = add("--margin", type=float, metavar="M", help="by how much at most (default: 0.01)")
    add("--replace", action="store_true", help="replace an existing budget file")
    for action in (out, baseline):
        complete(action, paths)
    for action in (slack, margin):
        complete(action, no_words)
    complete(statistic, words(*_STATISTICS))


def add_baseline_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that writing a baseline takes beside the run, and say what it does."""
    parser.description = (
        "Write what later runs are compared with into one Parquet file, to be committed. Where the file"
        " exists, print what would change; it is replaced with --replace alone."
    )
    add = parser.add_argument
    complete(add("--out", metavar="FILE", required=True, help="the file, e.g. baseline.parquet"), paths)
    add(
        "--with-embeddings",
        action="store_true",
        help="store the embeddings of the originals, which budgets of the panel need",
    )
    add("--replace", action="store_true", help="replace an existing baseline")
