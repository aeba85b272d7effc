"""Options of ``embshift run``."""

import argparse

from embshift.measurement.plan.plan import DEFAULT_ENCODER, DEFAULTS

__all__ = ["add_run_options"]


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add what a run takes."""
    parser.add_argument(
        "sources",
        nargs="*",
        metavar="SOURCE",
        help="a folder (searched recursively), a picture, a glob in quotes, or a text file of paths",
    )
    _add_what(parser)
    _add_how(parser)


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


def _colour(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no colour; wanted R,G,B from 0 to 255") from None


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


def _add_how(parser: argparse.ArgumentParser) -> None:
    how = parser.add_argument_group("how it is done")
    add = how.add_argument
    add("--out", metavar="RUN", help="the run folder (default: runs/<time>-<encoder>)")
    add(
        "--batch",
        type=int,
        metavar="N",
        help="views in one encoder batch (default: 32 on a CPU, 64 with openvino, else 256)",
    )
    add("--threads", type=int, metavar="N", help="threads of the encoder on a CPU (default: torch's choice)")
    add(
        "--workers",
        type=int,
        metavar="N",
        help="processes that decode and make views (default: one core less than there are, at most 8 on a CPU"
        " and 16 beside a GPU; fewer for few pictures)",
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
