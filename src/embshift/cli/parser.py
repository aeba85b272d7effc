"""What the command line takes; every default in the help is read from the plan."""

import argparse
import importlib
from collections.abc import Callable
from typing import Any

from embshift import __version__
from embshift.cli.drawing_options import add_figures_options, add_report_options
from embshift.cli.show_options import add_show_options
from embshift.cli.sweep_options import add_match_options, add_sweep_options
from embshift.plan import DEFAULT_ENCODER, DEFAULTS

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


def _size(text: str) -> tuple[int, int]:
    try:
        sides = [int(side) for side in text.split(",")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise argparse.ArgumentTypeError(
            f"'{text}' is no size; wanted N or H,W in pixels, e.g. 224 or 224,336"
        )
    return (sides[0], sides[-1])


def _add_run(group: Any) -> None:
    parser = _command(
        group,
        "run",
        "run",
        "measure pictures into a run folder",
        description="Measure how the embeddings of pictures move under transforms, into a run folder. The"
        " same command continues an interrupted run and returns at once when it is finished.",
    )
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="a folder (searched recursively), a picture, a glob in quotes, or a text file of paths",
    )
    _add_what(parser)
    _add_how(parser)


def _add_what(parser: argparse.ArgumentParser) -> None:
    what = parser.add_argument_group("what is measured (a run folder holds one answer to these)")
    add = what.add_argument
    add(
        "--encoder",
        metavar="NAME|FOLDER",
        help=f"'lite' (inside the package), a checkpoint's folder, or a hub"
        f" name (default: {DEFAULT_ENCODER})",
    )
    add("--preset", metavar="NAME|FILE.toml", help=f"set of transforms (default: {DEFAULTS['preset']})")
    add(
        "--transform",
        metavar="NAME",
        action="append",
        help="only this transform; blur:3 for severity 3, blur=2.5 for strength 2.5; may be repeated",
    )
    add(
        "--metric",
        metavar="NAME",
        action="append",
        help="only this metric; may be repeated (default: the paper's)",
    )
    add(
        "--plan",
        metavar="FILE.toml",
        help="take everything not given here from a plan, e.g. another run's plan.toml",
    )
    add(
        "--limit",
        type=int,
        metavar="N",
        help="only the first N pictures of the sorted listing (default: all)",
    )
    add(
        "--metric-sample",
        type=int,
        metavar="N",
        help="pictures, seeded, whose attention and pixel metrics are taken"
        f" (default: {DEFAULTS['metric_sample']})",
    )
    add(
        "--draws",
        type=int,
        metavar="N",
        help=f"repeats of every transform with other random numbers (default: {DEFAULTS['draws']})",
    )
    add("--seed", type=int, metavar="S", help=f"the run's seed (default: {DEFAULTS['seed']})")
    add(
        "--image-size",
        type=_size,
        metavar="N|H,W",
        help=f"pixels after the resize (default: {DEFAULTS['image_size'][0]})",
    )
    add(
        "--resize",
        metavar="RULE",
        help=f"linear, area, cubic, lanczos or nearest (default: {DEFAULTS['resize']}, the paper's)",
    )
    add("--decode", metavar="full|scaled", help=f"scaled: large JPEG faster (default: {DEFAULTS['decode']})")
    add(
        "--views",
        metavar="reference|fast|gpu",
        help=f"fast: in less time; gpu: on the encoder's device (default: {DEFAULTS['views']})",
    )
    add(
        "--background", type=_colour, metavar="R,G,B", help="behind transparent pixels (default: 255,255,255)"
    )
    add(
        "--max-pixels",
        type=int,
        metavar="N",
        help=f"largest picture that is decoded (default: {DEFAULTS['max_pixels']})",
    )
    add(
        "--max-aspect",
        type=float,
        metavar="R",
        help=f"greatest ratio of sides that is decoded (default: {DEFAULTS['max_aspect']:g})",
    )


def _colour(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no colour; wanted R,G,B from 0 to 255") from None


def _add_how(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how it is done")
    add = how.add_argument
    add("--out", metavar="RUN", help="the run folder (default: runs/<time>-<encoder>)")
    add("--batch", type=int, metavar="N", help="views in one encoder batch (default: 32 on a CPU, else 128)")
    add("--threads", type=int, metavar="N", help="threads of the encoder on a CPU (default: torch's choice)")
    add(
        "--workers",
        type=int,
        metavar="N",
        help="processes that decode and make views (default: one core less than there are, at most 8; fewer"
        " for few pictures)",
    )
    add(
        "--worker-memory",
        type=int,
        metavar="MIB",
        help="memory that one picture may take of a worker (default: 1 GiB and what the limits may need)",
    )
    add(
        "--timeout",
        type=int,
        metavar="S",
        help="seconds that one picture may take of a worker (default: 60, and half of one a view)",
    )
    add(
        "--precision",
        metavar="NAME",
        help="float32, float16, bfloat16 or auto: the fastest that qualifies"
        f" (default: {DEFAULTS['precision']}); others are measured against float32 on the first chunk",
    )
    add(
        "--runtime",
        metavar="NAME",
        help=f"what runs the encoder: torch, compiled or openvino (default: {DEFAULTS['runtime']})",
    )
    add("--compile", dest="runtime", action="store_const", const="compiled", help="--runtime compiled")
    add("--device", metavar="auto|cpu|cuda|mps", help=f"(default: {DEFAULTS['device']})")
    add(
        "--keep-views",
        type=int,
        metavar="N",
        help=f"pictures whose views are written while the run goes on (default: {DEFAULTS['keep_views']})",
    )
    add(
        "--max-error-rate",
        type=float,
        metavar="R",
        help=f"failed fraction above which the exit code is 1 (default: {DEFAULTS['max_error_rate']})",
    )
    add("--update", action="store_true", help="append pictures that are new since the run was started")
    add(
        "--allow-pickle",
        action="store_true",
        default=None,
        help="read weights from a pickle that is not pinned (only from a source that you trust)",
    )


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
