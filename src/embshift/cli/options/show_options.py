"""Options of ``embshift summarise`` that choose and adjust what is shown."""

import argparse

from embshift.cli.options.completers import complete, named, no_words, paths
from embshift.core.errors import UsageError

__all__ = ["SHOWS", "add_show_options", "check_show_options"]

SHOWS = (
    "shifts",
    "calibration",
    "retrieval",
    "direction",
    "structure",
    "differences",
    "variance",
    "thresholds",
)
"""Names for ``--show``."""

_BELONGS = {
    "floor": ("calibration",),
    "images": ("calibration", "retrieval", "direction", "structure", "thresholds"),
    "queries": ("calibration", "retrieval", "thresholds"),
    "search": ("retrieval",),
    "by": ("differences", "variance"),
    "against": ("differences",),
    "detect": ("differences",),
    "resamples": ("differences", "thresholds"),
}
"""What each option is for."""


def add_show_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--show`` and the options that belong to it."""
    add = parser.add_argument
    add(
        "--show",
        choices=SHOWS,
        default="shifts",
        help="shifts: the mean of every metric for each transform; calibration: shifts relative to the"
        " distances between images; retrieval: how often a view finds its original; direction: whether all"
        " images shift the same way; structure: whether the geometry of the embeddings is preserved;"
        " differences: which transforms differ; variance: how far values vary between images, and between"
        " draws; thresholds: which cosine means the same image (default: %(default)s)",
    )
    floor = add(
        "--floor",
        metavar="RUN",
        action="append",
        help="for calibration: a run of the same images, otherwise prepared or computed; may be repeated",
    )
    images = add(
        "--images",
        type=int,
        metavar="N",
        help="use a seeded sample of N images, which are compared with each other (default: all)",
    )
    queries = add(
        "--queries",
        type=int,
        metavar="N",
        help="for calibration, retrieval and thresholds: compare the views of a seeded sample of N images"
        " with all originals (default: all up to 100,000 images, 2000 of more)",
    )
    add(
        "--search",
        choices=("exact", "approximate"),  # named here, since the help imports nothing heavy
        help="for retrieval: compare views with every original (exact, the default), or use an index that may"
        " miss a few (approximate; for more than 100,000 images, needs faiss)",
    )
    by = add("--by", metavar="METRIC", help="for differences and variance: the metric (default: cosine)")
    against = add(
        "--against", metavar="RUN", help="for differences: compare each transform with another run's"
    )
    detect = add(
        "--detect",
        type=float,
        metavar="D",
        help="for differences: report how many images would show a difference of D",
    )
    resamples = add(
        "--resamples",
        type=int,
        metavar="N",
        help="for differences: number of random sign flips; the least possible p is 1 / (N + 1), and up to 13"
        " images take all flips (default: 10000); for thresholds: resamples of the images (default: 500)",
    )
    columns = add(
        "--columns",
        metavar="NAME",
        nargs="+",
        help="for --format latex: the columns, in this order: metrics, overall, rank, n (default: all)",
    )
    complete(columns, named("metrics"))
    complete(by, named("metrics"))
    for action in (floor, against):
        complete(action, paths)
    for action in (images, queries, detect, resamples):
        complete(action, no_words)


def check_show_options(parsed: argparse.Namespace) -> None:
    """Raise `UsageError` where an option is given that does not belong to what is shown."""
    for option, where in _BELONGS.items():
        if getattr(parsed, option) is not None and parsed.show not in where:
            raise UsageError(
                f"--{option} was given with --show {parsed.show}; it belongs to --show {' or '.join(where)}"
            )
    if parsed.columns is not None and (parsed.show, parsed.format) != ("shifts", "latex"):
        raise UsageError("--columns belongs to --format latex with --show shifts")
    if parsed.images is not None and parsed.images < 2:
        raise UsageError(f"--images is {parsed.images}; expected 2 or more")
