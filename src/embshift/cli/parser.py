"""What the command line takes; every default in the help is read from the plan."""

import argparse
import importlib
from collections.abc import Callable
from typing import Any

from embshift.cli.drawing_options import add_figures_options, add_report_options
from embshift.cli.run_options import add_run_options
from embshift.cli.show_options import add_show_options
from embshift.cli.sweep_options import add_match_options, add_sweep_options
from embshift.core.version import __version__

__all__ = ["build_parser"]


class _Help(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=32, width=100)


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command ``embshift``."""
    parser = argparse.ArgumentParser(
        prog="embshift",
        formatter_class=_Help,
        description="Measure and explain how image embeddings move when a picture is changed.",
        epilog="A first look, with nothing to download: embshift demo",
    )
    parser.add_argument("--version", action="version", version=f"embshift {__version__}")
    commands_ = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(commands_)
    _add_demo(commands_)
    _add_sweep(commands_)
    _add_match(commands_)
    _add_summarise(commands_)
    _add_clusters(commands_)
    _add_figures(commands_)
    _add_report(commands_)
    _add_verify(commands_)
    _add_list(commands_)
    return parser


def _late(name: str) -> Callable[[argparse.Namespace], int]:
    """A command that is imported when it is called: help and version need none of what commands load."""

    def call(parsed: argparse.Namespace) -> int:
        return getattr(importlib.import_module("embshift.cli.commands"), name)(parsed)

    return call


def _command(group: Any, name: str, run: str, summary: str, **more: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = group.add_parser(
        name, help=summary, description=more.pop("description", summary), formatter_class=_Help, **more
    )
    parser.set_defaults(command=_late(run))
    parser.add_argument("-q", "--quiet", action="store_true", help="only results and errors")
    parser.add_argument("-v", "--verbose", action="store_true", help="errors with where they arose")
    return parser


def _add_run(group: Any) -> None:
    parser = _command(
        group,
        "run",
        "run",
        "measure pictures into a run folder",
        description="Measure how the embeddings of pictures move under transforms, into a run folder. The"
        " same command continues an interrupted run and returns at once when it is finished.",
    )
    add_run_options(parser)


def _add_demo(group: Any) -> None:
    parser = _command(
        group,
        "demo",
        "demo",
        "the main job on 36 sample photographs, with the encoder inside the package",
    )
    parser.add_argument(
        "--out", metavar="RUN", default="demo-run", help="the run folder (default: %(default)s)"
    )


def _add_sweep(group: Any) -> None:
    parser = _command(
        group,
        "sweep",
        "sweep",
        "how the shift grows with severity",
        description="Measure transforms at several severities, all of one draw, into a run folder: curves of"
        " the shift, the area below each, and the severity at which half of the views no longer find their"
        " original. The same command continues an interrupted run.",
    )
    add_sweep_options(parser)


def _add_match(group: Any) -> None:
    parser = _command(
        group,
        "match",
        "match",
        "which transform shifts most at equal damage",
        description="Solve, on one half of the pictures, the strengths at which transforms do equal damage;"
        " measure the other half at these strengths into a run folder, and rank. Where a transform cannot"
        " reach an amount of damage, that is said.",
    )
    add_match_options(parser)


def _add_summarise(group: Any) -> None:
    parser = _command(group, "summarise", "summarise", "a run's table: transforms by metrics")
    parser.add_argument("run", metavar="RUN", help="a run folder")
    add_show_options(parser)
    _add_format(parser)


def _add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format",
        choices=("table", "markdown", "csv", "json", "latex"),
        default="table",
        help="(default: %(default)s; csv and json hold full precision)",
    )


def _add_clusters(group: Any) -> None:
    parser = _command(group, "clusters", "clusters", "which transforms move embeddings alike")
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument(
        "--distance",
        default="cosine",
        metavar="NAME",
        help="between two views of one picture: cosine, euclidean, … (default: %(default)s)",
    )
    parser.add_argument(
        "--linkage",
        default="average",
        metavar="NAME",
        help="average, complete, single, ward, … (default: %(default)s)",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help="distance at which the tree is cut (default: 0.7 of its greatest height)",
    )
    _add_format(parser)


def _add_figures(group: Any) -> None:
    parser = _command(
        group,
        "figures",
        "figures",
        "draw a run's figures into files",
        description="Draw a run's figures into files, each under its name in 'embshift list figures'. A"
        " figure that the run holds too little for is skipped with the reason; the others are drawn.",
    )
    add_figures_options(parser)


def _add_report(group: Any) -> None:
    parser = _command(
        group,
        "report",
        "report",
        "write a run's report: one HTML file",
        description="Write what was found, every number, the pictures behind them and how they were made into"
        " one HTML file that opens without a network. Only the run folder is read.",
    )
    add_report_options(parser)


def _add_verify(group: Any) -> None:
    parser = _command(
        group,
        "verify",
        "verify",
        "whether a run folder is sound, and its inputs and encoder are those it was made with",
        description="Check every file of a run folder, its listing, counts and kept views, and hash the"
        " pictures and the encoder again. Exit code 0 for a sound run, 1 for another, 2 for wrong use.",
    )
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="remove what is broken and can be made again; the next embshift run makes it again",
    )
    parser.add_argument(
        "--folder-only", action="store_true", help="read neither the pictures nor the encoder again"
    )


def _add_list(group: Any) -> None:
    parser = _command(group, "list", "list_names", "what can be chosen")
    parser.add_argument("what", choices=("transforms", "metrics", "encoders", "presets", "figures"))
