"""Options of ``embshift figures``."""

import argparse

from embshift.cli.options.completers import complete, named, no_words, paths, words
from embshift.core.errors import UnknownNameError

__all__ = ["add_figures_options", "add_look_options"]

_FORMATS = ("png", "svg", "pdf")  # named here, since the help imports nothing heavy


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
    add_look_options(parser)
    out = add(
        "--out",
        metavar="FOLDER",
        help="folder of the files (default: RUN/figures; of a run in a store, NAME-figures here)",
    )
    complete(out, paths)
    pictures = add(
        "--pictures",
        type=int,
        metavar="N",
        default=4,
        help="images in the attention grid, on as many pages as they need (default: %(default)s)",
    )
    complete(pictures, no_words)


def add_look_options(parser: argparse.ArgumentParser, *, prefix: str = "") -> None:
    """Add what figures look like: formats, plain, style and width.

    Args:
        parser: The parser.
        prefix: What stands before each name where the command has options of those names.
    """
    add = parser.add_argument
    formats = add(
        f"--{prefix}format",
        type=_read_formats,
        action="extend",
        metavar="png|svg|pdf",
        help="one format or several, e.g. pdf,png; may be repeated (default: png)",
    )
    complete(formats, words(*_FORMATS))
    add(
        f"--{prefix}plain",
        action="store_true",
        help="leave out title and notes, for a caption; the alt text stays",
    )
    style = add(
        f"--{prefix}style",
        metavar="FILE|NAME",
        help="matplotlib style sheet for fonts, lines and grid, on top of embshift's own style",
    )
    complete(style, paths)
    width = add(
        f"--{prefix}width",
        type=float,
        metavar="INCHES",
        default=6.9,
        help="3.3 fits a column, 6.9 a page of two columns; the height follows (default: %(default)s)",
    )
    complete(width, no_words)


def _read_formats(text: str) -> tuple[str, ...]:
    """Read formats with commas between them."""
    found = tuple(one for one in (part.strip() for part in text.split(",")) if one)
    for one in found or (text,):
        if one not in _FORMATS:
            raise argparse.ArgumentTypeError(str(UnknownNameError("format", one, _FORMATS)))
    return found
