"""Options of ``embshift sweep`` and ``embshift match``."""

import argparse

from embshift.cli.options.completers import complete, named, no_words, paths, words
from embshift.cli.options.format_options import add_format
from embshift.cli.options.plan_options import adder
from embshift.cli.options.run_options import add_sources
from embshift.cli.options.trust_options import add_trust_options
from embshift.core.services import read_encoder

__all__ = ["add_match_options", "add_sweep_options"]


def add_sweep_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that a sweep takes."""
    _add_common(parser)
    severities = parser.add_argument(
        "--severities", type=int, nargs="+", metavar="S", help="severities from 1 to 5 (default: all five)"
    )
    complete(severities, words("1", "2", "3", "4", "5"))
    strengths = parser.add_argument(
        "--strengths",
        type=float,
        nargs="+",
        metavar="X",
        help="instead of severities: strengths of a single transform, in its unit",
    )
    complete(strengths, no_words)
    _add_plan_options(parser)


def add_match_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that matched severity takes."""
    _add_common(parser)
    ssim = parser.add_argument(
        "--ssim",
        type=float,
        nargs="+",
        metavar="X",
        help="structural similarities at which transforms that move no pixel are compared"
        " (default: 0.9 0.7 0.5)",
    )
    displacement = parser.add_argument(
        "--displacement",
        type=float,
        nargs="+",
        metavar="PX",
        help="mean pixel displacements at which transforms that move pixels are compared (default: 4 10 20)",
    )
    for action in (ssim, displacement):
        complete(action, no_words)
    _add_plan_options(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    add_sources(parser, count="+")
    add_trust_options(parser, "private")
    add = parser.add_argument
    transforms = add(
        "--transforms",
        nargs="+",
        metavar="NAME",
        help="registered transforms that have a strength; 'all' for every one (default: the paper's eight)",
    )
    complete(transforms, named("transforms", "all"))
    out = add(
        "--out",
        metavar="RUN",
        help="the run folder, or an address in a store (default: runs/<time>-<encoder>)",
    )
    complete(out, paths)
    add_format(parser)


def _add_plan_options(parser: argparse.ArgumentParser) -> None:
    add = adder(parser)
    add(
        "encoder",
        "ENCODER",
        "as for embshift run",
        completer=named("encoders", files="/"),
        type=read_encoder,
    )
    add(
        "metrics",
        "NAME",
        "may be repeated (default: cosine alone)",
        flag="--metric",
        completer=named("metrics"),
        action="append",
    )
    add("limit", "N", "use only the first N images of the sorted listing (default: all)")
    add("draws", "N", "repeats of every view with other random numbers")
    add("seed", "S", "the run's seed")
    add("image_size", "N", "side after the resize, in pixels", type=int)
    add("batch", "N", "views in one encoder batch")
    add("threads", "N", "threads of the encoder on a CPU")
    add("workers", "N", "processes that decode images and make views")
    add(
        "device", "auto|cpu|cuda|mps", "where the encoder runs", completer=words("auto", "cpu", "cuda", "mps")
    )
