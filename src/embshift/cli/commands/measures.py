"""Measurements that ``embshift summarise --show`` prints beside the table of shifts."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from rich.table import Table

from embshift.analysis.embeddings.direction import removals
from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.sampling.bootstrap import RESAMPLES
from embshift.analysis.shifts.paired_tests import PairedTests
from embshift.analysis.thresholds.measure import RESAMPLES as THRESHOLD_RESAMPLES
from embshift.analysis.thresholds.result import Thresholds
from embshift.show.run import Run, open_run
from embshift.show.text.joint_order import describe_joint_order
from embshift.show.text.measures import (
    differences_table,
    format_differences,
    format_measured,
    measured_table,
)
from embshift.show.text.thresholds import format_thresholds, thresholds_table

__all__ = ["SHOWN", "measure_table"]


def _calibration(run: Run, parsed: argparse.Namespace) -> Measured:
    others = [open_run(folder) for folder in parsed.floor or ()]
    return run.calibration(floors=run.floors(*others), images=parsed.images, queries=parsed.queries)


def _retrieval(run: Run, parsed: argparse.Namespace) -> Measured:
    search = parsed.search or "exact"
    return run.retrieval(images=parsed.images, queries=parsed.queries, search=search)


def _direction(run: Run, parsed: argparse.Namespace) -> Measured:
    found = run.direction(images=parsed.images)
    return found.noted(*(one.told() for one in removals(found)))


def _structure(run: Run, parsed: argparse.Namespace) -> Measured:
    return run.structure(images=parsed.images)


def _differences(run: Run, parsed: argparse.Namespace) -> PairedTests:
    against = None if parsed.against is None else open_run(parsed.against)
    by = parsed.by or "cosine"
    resamples = RESAMPLES if parsed.resamples is None else parsed.resamples
    found = run.differences(by=by, against=against, detect=parsed.detect, resamples=resamples)
    order = ", ".join(f"{one.images:,}: {one.tau:.3f}" for one in run.order_stability(by=by))
    stable = f"mean Kendall τ between the order of N images and that of all, by N: {order}"
    together = describe_joint_order(run.joint_order(resamples=resamples)) if against is None else ()
    return replace(found, notes=(*found.notes, stable, *together))


def _variance(run: Run, parsed: argparse.Namespace) -> Measured:
    return run.variance(by=parsed.by or "cosine")


def _thresholds(run: Run, parsed: argparse.Namespace) -> Thresholds:
    resamples = THRESHOLD_RESAMPLES if parsed.resamples is None else parsed.resamples
    return run.thresholds(images=parsed.images, queries=parsed.queries, resamples=resamples)


SHOWN: Mapping[str, Callable[[Run, argparse.Namespace], Measured | PairedTests | Thresholds]] = {
    "calibration": _calibration,
    "retrieval": _retrieval,
    "direction": _direction,
    "structure": _structure,
    "differences": _differences,
    "variance": _variance,
    "thresholds": _thresholds,
}
"""Everything that can be shown beside "shifts"."""


def measure_table(run: Run, parsed: argparse.Namespace) -> Table | str:
    """Return what was asked for: a table for a terminal, or text in another format."""
    found = SHOWN[parsed.show](run, parsed)
    if isinstance(found, Measured):
        table, text = measured_table(found), partial(format_measured, found)
    elif isinstance(found, Thresholds):
        table, text = thresholds_table(found), partial(format_thresholds, found)
    else:
        table, text = differences_table(found), partial(format_differences, found)
    return table if parsed.format == "table" else text(style=parsed.format)
