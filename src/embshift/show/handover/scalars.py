"""A run as a flat dictionary of numbers, for experiment trackers, and what identifies it."""

import math
from collections.abc import Iterator
from typing import Any

from embshift.analysis.embeddings.calibration import calibrate
from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.embeddings.retrieval import retrieve
from embshift.analysis.of_run import pair_views, summarise_shifts
from embshift.analysis.shifts.table import SummaryRow
from embshift.core.version import __version__
from embshift.runs.tables import RunTables

__all__ = ["COUNTS", "MEASURED", "collect_scalars", "identify_run"]

MEASURED = ("relative_shift", "neighbour_ratio", "recall_at_1", "recall_at_10", "mrr")
"""Measures of the embeddings that are given for each transform, beside the run's metrics."""

COUNTS = ("images", "images_failed", "images_repeated", "views", "views_failed", "undefined", "left_out")
"""Counts of the whole run, each under "run/": ``left_out`` counts scalars that are undefined."""

_OWN = {"overall", "rank", "n", "undefined", *MEASURED}
_RESAMPLES = 100  # the fewest: the intervals are not used


def collect_scalars(run: RunTables) -> dict[str, float]:
    """Return the run's numbers by name, all of them finite; see `MeasuredRun.scalars`."""
    found = dict(_list_scalars(run))
    finite = {name: float(value) for name, value in found.items() if math.isfinite(value)}
    return finite | {"run/left_out": float(len(found) - len(finite))}


def _list_scalars(run: RunTables) -> Iterator[tuple[str, float]]:
    for row in summarise_shifts(run).rows:
        yield from _list_row(row)
    if run.keeps_embeddings:
        pairs = pair_views(run)
        for found in (calibrate(pairs, resamples=_RESAMPLES), retrieve(pairs, resamples=_RESAMPLES)):
            yield from _list_measured(found)
    else:
        yield from ((f"{name}/{measure}", math.nan) for name in run.transforms for measure in MEASURED)
    yield from _list_counts(run)


def _list_row(row: SummaryRow) -> Iterator[tuple[str, float]]:
    for metric, cell in row.cells.items():
        # A metric from another package may have the name of a number beside it.
        yield f"{row.transform}/{f'metric_{metric}' if metric in _OWN else metric}", cell.mean
    yield f"{row.transform}/overall", row.overall
    yield f"{row.transform}/rank", math.nan if row.rank is None else row.rank
    yield f"{row.transform}/n", max((cell.n for cell in row.cells.values()), default=0)
    yield f"{row.transform}/undefined", sum(cell.undefined for cell in row.cells.values())


def _list_measured(found: Measured) -> Iterator[tuple[str, float]]:
    for measure in found.measures:
        if measure.name in MEASURED:
            for transform in found.transforms:
                yield f"{transform}/{measure.name}", found.mean(transform, measure.name)


def _list_counts(run: RunTables) -> Iterator[tuple[str, float]]:
    images = run.images()["status"].to_pylist()
    views, failed = run.count_views()
    yield "run/images", len(images)
    yield "run/images_failed", sum(status != "ok" for status in images)
    yield "run/images_repeated", len(run.repeated())
    yield "run/views", views
    yield "run/views_failed", failed
    yield "run/undefined", run.count_undefined()


def identify_run(run: RunTables) -> dict[str, str]:
    """Return what identifies a run, as texts: its encoder, plan and version; unknown entries are left out.

    The run folder's path is not among them, nor that of any image.
    """
    info = run.info
    plan, encoder = info["plan"], info["encoder"]
    found: dict[str, Any] = {
        "version": info.get("versions", {}).get("embshift", __version__),
        "run": run.folder.resolve().name,
        "state": info.get("state"),
        "fingerprint": info.get("fingerprint"),
        "encoder": encoder.get("name"),
        "encoder_digest": encoder.get("digest"),
        "precision": encoder.get("precision"),
        "preset": plan.get("preset"),
        "seed": plan.get("seed"),
        "draws": plan.get("draws"),
        "transforms": ", ".join(run.transforms),
    }
    return {f"embshift/{name}": str(value) for name, value in found.items() if value not in (None, "")}
