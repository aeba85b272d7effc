"""Options of ``embshift views`` and ``embshift ingest``."""

import argparse
from collections.abc import Callable

from embshift.cli.options.completers import complete, paths
from embshift.cli.options.plan_options import adder
from embshift.cli.options.run_options import (
    add_image_options,
    add_metrics,
    add_plan_file,
    add_sources,
    add_transforms,
)
from embshift.cli.options.trust_options import add_trust_options

__all__ = ["add_ingest_options", "add_views_options"]


def add_views_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that writing views takes, and say what it does."""
    parser.description = (
        "Write originals and views with their keys, as PNG in a Parquet file, a tar archive or a folder, so"
        " that any program can embed them. embshift ingest makes a run of its embeddings."
    )
    add_sources(parser, count="*")
    out = parser.add_argument(
        "--out", metavar="VIEWS", required=True, help="a file .parquet or .tar, or a folder"
    )
    complete(out, paths)
    group = parser.add_argument_group("what is written")
    add_plan_file(group)
    add = adder(group)
    add_transforms(add)
    add("limit", "N", "use only the first N images of the sorted listing (default: all)")
    add_image_options(add)
    add = adder(parser.add_argument_group("how it is computed"))
    _add_workers(add)
    add("worker_memory", "MIB", "memory that one image may use in a worker (default: as for run)")
    add("timeout", "S", "seconds that one image may take in a worker (default: as for run)")
    add_trust_options(parser, "code", "remote", "private")


def add_ingest_options(parser: argparse.ArgumentParser) -> None:
    """Add everything that ingesting takes, and say what it does."""
    parser.description = (
        "Make a run folder of embeddings that were computed elsewhere, from the views of embshift views."
        " Everything that needs no encoder works on it. The same command continues an interrupted run."
    )
    complete(parser.add_argument("views", metavar="VIEWS", help="what embshift views has written"), paths)
    embeddings = parser.add_argument(
        "--embeddings",
        metavar="FILE",
        required=True,
        help=".parquet or .csv with the views' keys and 'embedding' (or e0, e1, …), in any order; or .npy"
        " with one row for each view, in the order of the keys",
    )
    complete(embeddings, paths)
    out = parser.add_argument(
        "--out", metavar="RUN", help="the run folder, or an address in a store (default: runs/<time>-<file>)"
    )
    complete(out, paths)
    add = adder(parser)
    add_metrics(add)
    add("metric_sample", "N", "compute pixel metrics for a seeded sample of N images")
    _add_workers(add)
    add("chunk", "N", "images that are committed together, which an interruption can cost")
    add("keep_views", "N", "images whose views are written while the run goes on")
    add("max_error_rate", "R", "failed fraction above which the exit code is 1")


def _add_workers(add: Callable[..., None]) -> None:
    add("workers", "N", "processes beside the main one; 0 for none (default: as for run)")
