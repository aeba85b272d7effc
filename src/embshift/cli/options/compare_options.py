"""Options of ``embshift compare``."""

import argparse

from embshift.cli.options.completers import complete, no_words, paths, words
from embshift.cli.options.figure_options import add_look_options

__all__ = ["add_compare_options"]

_STATISTICS = ("relative_shift", "neighbour_ratio", "nearer_share", "recall_at_1", "cosine_shift")
# named here, since the help imports nothing heavy


def add_compare_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that comparing takes, and say what it does."""
    parser.description = (
        "Compare two to thirty runs of the same images and transforms, image by image; the first is the"
        " reference. Says where runs differ, whether an index must be built again, and what is not worse by"
        " more than a margin."
    )
    add = parser.add_argument
    complete(add("runs", metavar="RUN", nargs="+", help="run folders, the reference first"), paths)
    by = add(
        "--by",
        metavar="STATISTIC",
        help=f"what is tested: {', '.join(_STATISTICS[:-1])}, or {_STATISTICS[-1]} within one embedding space"
        " (default: relative_shift)",
    )
    complete(by, words(*_STATISTICS))
    margin = add(
        "--margin",
        type=float,
        metavar="M",
        help="also say what is not worse by more than M, in the unit of the statistic, with a one-sided 95 %%"
        " bound",
    )
    shared = add(
        "--least-shared",
        type=float,
        metavar="S",
        help="least share of all images that each run must share with the reference (default: 0.95)",
    )
    report = add("--report", metavar="FILE", help="also write answers, figures and tables into an HTML file")
    figures = add("--figures", metavar="FOLDER", help="also write the figures into a folder")
    add_look_options(parser, prefix="figure-")
    for action in (report, figures):
        complete(action, paths)
    for action in (margin, shared):
        complete(action, no_words)
