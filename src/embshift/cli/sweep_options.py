"""Options of ``embshift sweep`` and ``embshift match``."""

import argparse

from embshift.measurement.plan.plan import DEFAULT_ENCODER, DEFAULTS

__all__ = ["OPTIONS", "add_match_options", "add_sweep_options"]

OPTIONS = ("encoder", "limit", "draws", "seed", "image_size", "batch", "threads", "workers", "device")
"""Options that are fields of the plan under the same name."""


def add_sweep_options(parser: argparse.ArgumentParser) -> None:
    """Add what a sweep takes."""
    _add_common(parser)
    add = parser.add_argument
    add(
        "--severities",
        type=int,
        nargs="+",
        metavar="S",
        help="levels from 1 to 5 (default: all five)",
    )
    add(
        "--strengths",
        type=float,
        nargs="+",
        metavar="X",
        help="in place of severities: strengths of the one transform named, in its unit",
    )
    _add_plan_options(parser)


def add_match_options(parser: argparse.ArgumentParser) -> None:
    """Add what matched severity takes."""
    _add_common(parser)
    add = parser.add_argument
    add(
        "--ssim",
        type=float,
        nargs="+",
        metavar="X",
        help="structural similarities at which transforms that move no pixel are compared"
        " (default: 0.9 0.7 0.5)",
    )
    add(
        "--displacement",
        type=float,
        nargs="+",
        metavar="PX",
        help="mean ways of the pixels at which those that move pixels are compared (default: 4 10 20)",
    )
    _add_plan_options(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="a folder (searched recursively), a picture, a glob in quotes, or a text file of paths",
    )
    add(
        "--transforms",
        nargs="+",
        metavar="NAME",
        help="registered transforms that have a strength; 'all' for every one (default: the paper's eight)",
    )
    add("--out", metavar="RUN", help="the run folder (default: runs/<time>-<encoder>)")
    add(
        "--format",
        choices=("table", "markdown", "csv", "json", "latex"),
        default="table",
        help="(default: %(default)s; csv and json hold full precision)",
    )


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--encoder", metavar="NAME|FOLDER", help=f"as for run (default: {DEFAULT_ENCODER})")
    add("--metric", metavar="NAME", action="append", help="may be repeated (default: cosine alone)")
    add("--limit", type=int, metavar="N", help="only the first N pictures of the listing (default: all)")
    add("--draws", type=int, metavar="N", help=f"repeats of every view (default: {DEFAULTS['draws']})")
    add("--seed", type=int, metavar="S", help=f"the run's seed (default: {DEFAULTS['seed']})")
    add(
        "--image-size",
        type=int,
        metavar="N",
        help=f"side after the resize, in pixels (default: {DEFAULTS['image_size'][0]})",
    )
    add("--batch", type=int, metavar="N", help="views in one encoder batch")
    add("--threads", type=int, metavar="N", help="threads of the encoder on a CPU")
    add("--workers", type=int, metavar="N", help="processes that decode and make views")
    add("--device", metavar="auto|cpu|cuda|mps", help=f"(default: {DEFAULTS['device']})")
