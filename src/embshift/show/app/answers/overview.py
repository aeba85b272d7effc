"""The answer to ``/api/run``: what the runs are, what is live, and where the page begins."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from embshift.analysis.embeddings.calibration import calibrate
from embshift.analysis.embeddings.measures import Measured
from embshift.analysis.embeddings.retrieval import retrieve
from embshift.core.errors import RunError
from embshift.core.named import find_position
from embshift.core.version import __version__
from embshift.core.words import count_noun
from embshift.runs.explained import find_explained
from embshift.show.app.answers.requests import Desk
from embshift.show.app.served.live import Reach
from embshift.show.app.served.run import ServedRun
from embshift.show.report.parts.palette import transform_colours
from embshift.show.text.words import make_visible, spell_metric

__all__ = ["describe_runs"]

_QUERIES = 2_000
"""Images whose views are compared with all images, so that the page opens soon; of more, a seeded sample."""


def describe_runs(desk: Desk) -> dict[str, Any]:
    """Return what the page needs to know at its start.

    Args:
        desk: The runs.
    """
    with desk.lock:
        if not desk.overview:
            desk.overview.append(_describe(desk))
        return desk.overview[0]


def _describe(desk: Desk) -> dict[str, Any]:
    first = desk.first
    size = first.run.info["plan"].get("image_size", [224, 224])
    return {
        "version": __version__,
        "name": make_visible(first.title),
        "command": make_visible(desk.command),
        "images": len(first.lines),
        "image_size": size[0] if isinstance(size, list) else size,
        "encoders": [_describe_encoder(side) for side in desk.sides],
        "transforms": list(_describe_transforms(first)),
        "metrics": [
            {
                "name": spec.name,
                "label": spell_metric(spec.name),
                "unit": "" if spec.unit == "1" else spec.unit,
            }
            for spec in first.run.metrics
        ],
        "start": _describe_start(desk),
        "notes": [*_list_notes(desk), *map(make_visible, desk.notes)],
    }


def _describe_encoder(side: ServedRun) -> dict[str, Any]:
    spec = side.run.info["encoder"]
    texts = set(side.live.list_details()) if side.live is not None else _list_recorded(side)
    return {
        "name": make_visible(spec["name"]),
        "run": make_visible(side.title),
        "map": make_visible(spec.get("map_name") or "") or None,
        "live": side.live is not None,
        "why": make_visible(side.why),
        "width": spec.get("dim"),
        "layers": spec.get("layers", 0),
        "heads": spec.get("heads", 0),
        "explained": "network" in texts,
        "words": "word" in texts,
        "labels": "label" in texts,
    }


def _list_recorded(side: ServedRun) -> set[str]:
    try:
        return {"network"} if find_explained(side.run.folder) else set()
    except RunError:
        return set()


def _describe_transforms(side: ServedRun) -> Iterator[dict[str, Any]]:
    shifts, found = _measure(side)
    colours = transform_colours(side.transforms)
    for name, colour in zip(side.transforms, colours, strict=True):
        reach = side.reaches.get(name, Reach(why=side.why))
        mean, low, high = _get(shifts, "relative_shift", name)
        yield {
            "name": name,
            "colour": colour,
            "parameter": reach.parameter,
            "unit": "" if reach.unit == "1" else reach.unit,
            "recorded": reach.recorded,
            "range": reach.ends,
            "log": reach.log,
            "severities": reach.severities,
            "draws": side.run.info["plan"].get("draws", 1),
            "live": side.live is not None and not reach.why,
            "why": make_visible(reach.why or side.why),
            "relative_shift": mean,
            "interval": [low, high],
            "recall_at_1": _get(found, "recall_at_1", name)[0],
        }


def _measure(side: ServedRun) -> tuple[Measured, Measured]:
    queries = min(_QUERIES, len(side.pairs)) if len(side.pairs) > _QUERIES else None
    return calibrate(side.pairs, queries=queries), retrieve(side.pairs, queries=queries)


def _get(found: Measured, measure: str, transform: str) -> tuple[float, float, float]:
    column = find_position([one.name for one in found.measures], measure, kind="measure")
    row = find_position(found.transforms, transform, kind="transform")
    table = found.estimates
    return tuple(float(one[row, column]) for one in (table.mean, table.low, table.high))  # type: ignore[return-value]


def _describe_start(desk: Desk) -> dict[str, Any]:
    side = desk.first
    if desk.start is not None:
        row, transform, strength = desk.start
    else:
        (row, transform), strength = _find_most_shifted(side), None
    return {
        "view": "look",
        "row": row,
        "image_id": side.lines[row].image_id,
        "transform": transform,
        "strength": strength,
    }


def _find_most_shifted(side: ServedRun) -> tuple[int, str]:
    """Return the most shifted image whose view is live or kept, and its transform."""
    for at, place in side.order[: 50 * len(side.transforms)].tolist():
        name = side.transforms[at]
        if np.isfinite(side.find_views(name).relative_shift[place]):
            return int(side.pairs.rows[place]), name
    return int(side.pairs.rows[0]), side.transforms[0]


def _list_notes(desk: Desk) -> Iterator[str]:
    for side in desk.sides:
        which = f"{make_visible(side.title)}: " if len(desk.sides) > 1 else ""
        if side.failed:
            total = count_noun(side.failed + len(side.lines), "image")
            yield f"{which}{side.failed:,} of {total} could not be used and are not shown"
        if not side.run.finished:
            yield f"{which}the run is not finished; what is measured so far is shown"
        if len(side.pairs) > _QUERIES:
            yield f"{which}means and recall are those of a seeded sample of {_QUERIES:,} images"
