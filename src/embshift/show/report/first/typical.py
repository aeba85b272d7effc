"""Typical views: for each transform, a kept view whose shift is close to the median of its shifts."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from embshift.core.types import ORIGINAL
from embshift.runs.tables import RunTables
from embshift.show.report.facts.run import Facts, find_main_metric
from embshift.show.report.parts.kept_views import find_kept_views
from embshift.show.report.parts.thumbnails import name_image, read_thumbnail
from embshift.show.text.words import make_visible

__all__ = ["list_typical_views"]

_SIDE = 112
"""Pixels of a thumbnail's longer side: twice those that the page shows it with."""

_NEAREST = 3
"""Views nearest to the median; the one of middle detail is shown, which is neither noise nor plain."""

_TRIED = 12
"""Kept views that are tried before a transform is left without one."""


def list_typical_views(run: RunTables, facts: Facts, transforms: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return for each transform with kept views an image close to its median shift, before and after.

    Args:
        run: The run.
        facts: Its numbers.
        transforms: Names of the transforms.
    """
    spec = find_main_metric(facts.metrics) or next(iter(facts.metrics), None)
    lines = find_kept_views(run)
    if spec is None or not lines:
        return {}
    at = facts.values.metrics.index(spec.name)
    kept = np.isin(facts.values.rows, list(lines))
    found = dict[str, dict[str, Any]]()
    for name in transforms:
        place = facts.transforms.index(name)
        column, median = facts.values.values[:, place, at], facts.find_median(place, at)
        tried = _order_by_median(column, median=median, rows=facts.values.rows, kept=kept)
        nearest = list(islice(_read_views(run, name, [lines[row] for row in tried]), _NEAREST))
        if nearest:
            # The size of the compressed original is its detail.
            found[name] = sorted(nearest, key=lambda one: len(one["original"]))[(len(nearest) - 1) // 2]
    return found


def _order_by_median(
    column: Float[np.ndarray, " images"],
    *,
    median: float,
    rows: Int64[np.ndarray, " images"],
    kept: np.ndarray,
) -> list[int]:
    """Return the rows of kept images, the nearest to the median of all images first."""
    chosen = np.flatnonzero(~np.isnan(column) & kept)
    order = np.argsort(np.abs(column[chosen] - median), kind="stable")
    return rows[chosen[order[:_TRIED]]].tolist()


def _read_views(run: RunTables, name: str, lines: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for line in lines:
        original, view = (read_thumbnail(run, line, one, side=_SIDE) for one in (ORIGINAL, name))
        if original is not None and view is not None:
            yield {
                "row": line["row"],
                "id": make_visible(line["image_id"]),
                "name": name_image(line),
                "original": original.text,
                "view": view.text,
            }
