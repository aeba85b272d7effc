"""Options of ``embshift figures``."""

import argparse

from embshift.cli.options.completers import complete, named, no_words, paths

__all__ = ["add_figures_options"]


def add_figures_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that ``embshift figures`` takes beside the run."""
    add = parser.add_argument
    only = add(
        "--only",
        metavar="NAME",
        nargs="+",
        action="extend",
        help="render only these figures; one that must be skipped is then an error (default: all)",
    )
    complete(only, named("figures"))
    add("--format", choices=("png", "svg", "pdf"), default="png", help="(default: %(default)s)")
    out = add("--out", metavar="FOLDER", help="folder of the files (default: RUN/figures)")
    complete(out, paths)
    width = add(
        "--width",
        type=float,
        metavar="INCHES",
        default=6.9,
        help="3.3 fits a column, 6.9 a page of two columns; the height follows (default: %(default)s)",
    )
    pictures = add(
        "--pictures",
        type=int,
        metavar="N",
        default=4,
        help="images in the attention grid, on as many pages as they need (default: %(default)s)",
    )
    for action in (width, pictures):
        complete(action, no_words)
