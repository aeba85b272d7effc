"""Options of ``embshift work``."""

import argparse

from embshift.cli.options.completers import complete, no_words
from embshift.cli.options.plan_options import adder

__all__ = ["add_work_options"]


def add_work_options(parser: argparse.ArgumentParser) -> None:
    """Add the part, and what each process may decide for itself."""
    part = parser.add_argument(
        "--part",
        metavar="I/N",
        required=True,
        help="the part, from 0, and the number of parts: 0/8 takes every eighth chunk, from the first on",
    )
    complete(part, no_words)
    add = adder(parser)
    add("workers", "N", "processes that decode images and make views (default: as for run)")
    add("worker_memory", "MIB", "memory that one image may use in a worker (default: as for run)")
    add("timeout", "S", "seconds that one image may take in a worker (default: as for run)")
