"""Options of ``embshift summarise`` for what it shows beside the table of shifts."""

import argparse

from embshift.core.errors import UsageError

__all__ = ["SHOWS", "add_show_options", "check_show_options"]

SHOWS = ("shifts", "calibration", "retrieval", "direction", "structure", "differences")
"""Names for ``--show``."""

_BELONGS = {
    "floor": ("calibration",),
    "images": ("calibration", "retrieval", "direction", "structure"),
    "queries": ("calibration", "retrieval"),
    "search": ("retrieval",),
    "by": ("differences",),
    "against": ("differences",),
    "detect": ("differences",),
}
"""What each option is for."""


def add_show_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--show`` and what belongs to it."""
    add = parser.add_argument
    add(
        "--show",
        choices=SHOWS,
        default="shifts",
        help="shifts by transform and metric; the same against distances between pictures (calibration);"
        " whether views find their originals (retrieval), whether all pictures move one way (direction),"
        " whether their arrangement stays (structure), which transforms differ (differences) (default:"
        " %(default)s)",
    )
    add(
        "--floor",
        metavar="RUN",
        action="append",
        help="with calibration: a run of the same pictures, prepared or computed otherwise; may be repeated",
    )
    add(
        "--images",
        type=int,
        metavar="N",
        help="only a seeded sample of N pictures (default: all; they are compared with each other)",
    )
    add(
        "--queries",
        type=int,
        metavar="N",
        help="with calibration and retrieval: views of N pictures, a seeded sample, against all originals"
        " (default: all up to 100,000 pictures, 2000 of more)",
    )
    add(
        "--search",
        choices=("exact", "approximate"),  # named here: the help waits for nothing heavy
        help="with retrieval: compare views with every original (exact, the default), or all through an"
        " index that may miss a few (approximate; needs faiss, for more than 100,000 pictures)",
    )
    add("--by", metavar="METRIC", help="with differences: the metric (default: cosine)")
    add("--against", metavar="RUN", help="with differences: compare each transform with that of another run")
    add(
        "--detect",
        type=float,
        metavar="D",
        help="with differences: say how many pictures would show a difference of D",
    )


def check_show_options(parsed: argparse.Namespace) -> None:
    """Raise `UsageError` where an option is given that says nothing to what is shown."""
    for option, where in _BELONGS.items():
        if getattr(parsed, option) is not None and parsed.show not in where:
            raise UsageError(
                f"--{option} was given with --show {parsed.show}; it belongs to --show {' or '.join(where)}"
            )
    if parsed.images is not None and parsed.images < 2:
        raise UsageError(f"--images is {parsed.images}; wanted 2 or more")
