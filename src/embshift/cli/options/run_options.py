"""Options of ``embshift run``: one line for each field of the plan that can be given.

The field itself stands in ``embshift/measurement/plan/plan.py``; nothing else names it.
"""

import argparse
from collections.abc import Callable
from typing import Any

from embshift.cli.options.completers import complete, named, paths, words
from embshift.cli.options.engine_options import add_engine_options
from embshift.cli.options.plan_options import adder, colour, size, value_range
from embshift.core.paths import input_path
from embshift.core.services import read_encoder

__all__ = [
    "add_image_options",
    "add_metrics",
    "add_plan_file",
    "add_run_options",
    "add_sources",
    "add_transforms",
]


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that a run takes."""
    add_sources(parser, count="*")
    _add_results(parser)
    _add_execution(parser)
    add_engine_options(parser)


def add_sources(parser: argparse.ArgumentParser, *, count: str) -> None:
    """Add the images.

    Args:
        parser: Where to.
        count: "*" where they may be left out, else "+".
    """
    sources = parser.add_argument(
        "sources",
        nargs=count,
        metavar="SOURCE",
        help="a folder (searched recursively), an image, a glob in quotes, a list (text, CSV, JSON Lines,"
        " Parquet), images in .tar, .parquet or .arrow files, or an address of one (s3://, gs://, az://,"
        " https://, hf://)",
    )
    complete(sources, paths)


def _add_results(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is measured (fixed within a run folder)")
    add_plan_file(group)
    add = adder(group)
    add(
        "encoder",
        "ENCODER",
        "'lite' (bundled), a checkpoint's folder, a hub name, model.onnx, open_clip:NAME/TAG, timm:NAME, a"
        " service, or your own package.module:name (see embshift list encoders)",
        completer=named("encoders", files="/"),
        type=read_encoder,
    )
    add_transforms(add)
    add_metrics(add)
    add("limit", "N", "use only the first N images of the sorted listing (default: all)")
    add("metric_sample", "N", "compute attention and pixel metrics for a seeded sample of N images")
    add_image_options(add)
    add(
        "keep_embeddings",
        "",
        "keep no embeddings, which are most of a run's bytes; retrieval, clusters and others need them",
        flag="--no-embeddings",
    )


def add_plan_file(group: Any) -> None:
    """Add the plan file to a group of a parser."""
    plan = group.add_argument(
        "--plan",
        metavar="FILE.toml",
        help="take everything that is not given here from a plan file, e.g. another run's plan.toml",
    )
    complete(plan, paths)


def add_transforms(add: Callable[..., None]) -> None:
    """Add the preset and the transforms; ``add`` is what `adder` returns, as for the next two."""
    add(
        "preset",
        "NAME|FILE.toml",
        "set of transforms",
        completer=named("presets", files=".toml"),
        type=input_path,
    )
    add(
        "transforms",
        "NAME",
        "only this transform; blur:3 for severity 3, blur=2.5 for strength 2.5; may be repeated"
        " (default: those of the preset)",
        flag="--transform",
        completer=named("transforms"),
        action="append",
    )


def add_metrics(add: Callable[..., None]) -> None:
    """Add the metrics."""
    add(
        "metrics",
        "NAME",
        "only this metric; may be repeated (default: the six of the paper)",
        flag="--metric",
        completer=named("metrics"),
        action="append",
    )


def add_image_options(add: Callable[..., None]) -> None:
    """Add what decides an image and its views."""
    add("draws", "N", "repeats of every transform with other random numbers")
    add("seed", "S", "the run's seed")
    add("image_size", "N|H,W", "size after the resize, in pixels", type=size)
    add("resize", "", "interpolation of the resize")
    add("decode", "", "scaled: decode large JPEG files faster, at a fraction of their size")
    add("views", "", "fast: make views in less time; gpu: make them on the encoder's device")
    add("background", "R,G,B", "colour behind transparent pixels", type=colour)
    add("value_range", "LO,HI", "values of grey 16-bit images that become black and white", type=value_range)
    add("max_pixels", "N", "decode no image of more pixels")
    add("max_aspect", "R", "decode no image whose sides have a greater ratio")


def _add_execution(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it is computed")
    out = group.add_argument(
        "--out",
        metavar="RUN",
        help="the run folder, or an address in a store (default: runs/<time>-<encoder>)",
    )
    complete(out, paths)
    add = adder(group)
    add("batch", "N", "views in one encoder batch (default: 32 on a CPU, 64 with openvino, else 256)")
    add("threads", "N", "threads of the encoder on a CPU (default: torch's choice)")
    add(
        "workers",
        "N",
        "processes that decode images and make views (default: one less than the cores, at most 8 on a CPU"
        " and 16 beside a GPU; fewer for few images)",
    )
    add(
        "worker_memory",
        "MIB",
        "memory that one image may use in a worker (default: 1 GiB and what the limits need)",
    )
    add("timeout", "S", "seconds that one image may take in a worker (default: 60, and 0.5 for every view)")
    add(
        "precision",
        "",
        "number format of the encoder; auto: the fastest that qualifies; all but float32 are compared with"
        " float32 on the first chunk",
    )
    add("runtime", "", "what runs the encoder")
    group.add_argument(
        "--compile",
        dest="runtime",
        action="store_const",
        const="compiled",
        help="short for --runtime compiled",
    )
    add(
        "device", "auto|cpu|cuda|mps", "where the encoder runs", completer=words("auto", "cpu", "cuda", "mps")
    )
    add(
        "mixed_hardware",
        "",
        "continue a run on a machine whose arithmetic differs in the last digits; recorded in the run",
    )
    add("chunk", "N", "images that are committed together, which an interruption can cost")
    add("keep_views", "N", "images whose views are written while the run goes on")
    add("max_error_rate", "R", "failed fraction above which the exit code is 1")
    group.add_argument(
        "--prepare",
        action="store_true",
        help="write plan and listing and measure nothing: embshift work measures parts of the run",
    )
    group.add_argument(
        "--update", action="store_true", help="append images that were added since the run started"
    )
    add(
        "allow_pickle",
        "",
        "read weights from a pickle that is not pinned (only from a source that you trust)",
    )
