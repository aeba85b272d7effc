"""Options of ``embshift figures``."""

import argparse

from embshift.cli.options.completers import complete, named, no_words, paths, words
from embshift.core.errors import UnknownNameError

__all__ = ["add_figures_options"]

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
    formats = add(
        "--format",
        type=_read_formats,
        metavar="png|svg|pdf",
        default="png",
        help="one format or several, e.g. pdf,png (default: %(default)s)",
    )
    complete(formats, words(*_FORMATS))
    add("--plain", action="store_true", help="leave out title and notes, for a caption; the alt text stays")
    style = add(
        "--style",
        metavar="FILE|NAME",
        help="matplotlib style sheet for fonts, lines and grid, on top of embshift's own style",
    )
    complete(style, paths)
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


def _read_formats(text: str) -> tuple[str, ...]:
    """Read formats with commas between them."""
    found = tuple(one for one in (part.strip() for part in text.split(",")) if one)
    for one in found or (text,):
        if one not in _FORMATS:
            raise argparse.ArgumentTypeError(str(UnknownNameError("format", one, _FORMATS)))
    return found
