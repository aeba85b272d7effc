"""Options of ``embshift figures`` and ``embshift report``."""

import argparse

__all__ = ["add_figures_options", "add_report_options"]


def add_figures_options(parser: argparse.ArgumentParser) -> None:
    """Add what the figures take."""
    add = parser.add_argument
    add("run", metavar="RUN", help="a run folder")
    add(
        "--only",
        metavar="NAME",
        nargs="+",
        action="extend",
        help="only these figures; one that must be skipped is then an error (default: all)",
    )
    add("--format", choices=("png", "svg", "pdf"), default="png", help="(default: %(default)s)")
    add("--out", metavar="FOLDER", help="where to (default: RUN/figures)")
    add(
        "--width",
        type=float,
        metavar="INCHES",
        default=6.9,
        help="3.3 fits a column, 6.9 a page of two; the height follows (default: %(default)s)",
    )
    add(
        "--pictures",
        type=int,
        metavar="N",
        default=4,
        help="pictures in the attention grid, which has as many pages as they take (default: %(default)s)",
    )


def add_report_options(parser: argparse.ArgumentParser) -> None:
    """Add what the report takes."""
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("--out", metavar="FILE", help="where to (default: RUN/report.html)")
