"""What a run has recorded of a view: for runs, or images, that cannot be made again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float32
from PIL import Image

from embshift.core.errors import RunError, ShiftError
from embshift.core.types import ORIGINAL, Field, Pixels
from embshift.runs.arrow import read_columns
from embshift.runs.explained import ExplainedTables, find_explained, open_explained
from embshift.runs.places import file_in
from embshift.runs.tables import RunTables, to_matrix
from embshift.runs.view_files import find_view
from embshift.show.app.served.live import NOTHING, Asked, Details, NotLiveError, PlacedMap, Seen
from embshift.show.app.served.parts import arrange_shares
from embshift.show.app.served.run import ServedRun

__all__ = ["read_kept", "see_recorded"]

_MOST_PIXELS = 50_000_000


def see_recorded(served: ServedRun, asked: Asked, *, why: str) -> Seen:
    """Return a view as the run recorded it.

    Args:
        served: The run.
        asked: The view.
        why: Why it cannot be made again.

    Raises:
        NotLiveError: If the run has not measured this view.
    """
    line = None if asked.row is None else served.lines.get(asked.row)
    reach = served.reaches.get(asked.transform)
    recorded = None if reach is None else reach.recorded
    if line is None or asked.row is None:
        raise NotLiveError(why)
    if asked.strength is not None and asked.strength != recorded:
        raise NotLiveError(f"only the measured strength can be shown: {why}")
    vectors = {
        name: _read_embedding(served.run, line.chunk, asked.row, name, asked.draw)
        for name in (ORIGINAL, asked.transform)
    }
    maps = _read_maps(served.run, line.chunk, asked)
    return Seen(
        image_id=line.image_id,
        strength=recorded,
        recorded=True,
        embedding=vectors[asked.transform],
        original_embedding=vectors[ORIGINAL],
        pixels=read_kept(served.run, line.image_id, asked.transform, asked.draw),
        original=read_kept(served.run, line.image_id, ORIGINAL, 0),
        map=maps.get(asked.transform),
        original_map=maps.get(ORIGINAL),
        metrics=_read_metrics(served.run, line.chunk, asked),
        details=_read_details(served.run, asked) if asked.detail else NOTHING,
    )


def _read(run: RunTables, table: str, chunk: str, columns: list[str]) -> pa.Table:
    return read_columns(file_in(run.folder, table, chunk), columns, fingerprint=run.info.get("fingerprint"))


def _pick(row: int, transform: str, draw: int) -> Any:
    return (pc.field("row") == row) & (pc.field("transform") == transform) & (pc.field("draw") == draw)


def _read_embedding(
    run: RunTables, chunk: str, row: int, transform: str, draw: int
) -> Float32[np.ndarray, " dim"]:
    columns = ["row", "transform", "draw", "status", "error", "embedding"]
    drawn = 0 if transform == ORIGINAL else draw
    found = _read(run, "embeddings", chunk, columns).filter(_pick(row, transform, drawn))
    if not len(found):
        raise NotLiveError(f"the run has not measured draw {draw} of {transform}")
    if found["status"][0].as_py() != "ok":
        raise NotLiveError(f"this view failed when it was measured: {found['error'][0].as_py()}")
    return to_matrix(found["embedding"])[0]


def _read_metrics(run: RunTables, chunk: str, asked: Asked) -> dict[str, float]:
    found = _read(run, "shifts", chunk, ["row", "transform", "draw", "metric", "value"])
    own = found.filter(_pick(asked.row or 0, asked.transform, asked.draw))
    return dict(zip(own["metric"].to_pylist(), own["value"].to_pylist(), strict=True))


def _read_maps(run: RunTables, chunk: str, asked: Asked) -> dict[str, PlacedMap]:
    columns = ["row", "transform", "draw", "rows", "columns", "field", "map"]
    own = _read(run, "attention", chunk, columns).filter(pc.field("row") == (asked.row or 0))
    draws = {ORIGINAL: 0, asked.transform: asked.draw}
    return {
        line["transform"]: _make_map(line)
        for line in own.to_pylist()
        if draws.get(line["transform"]) == line["draw"]
    }


def _make_map(line: Mapping[str, Any]) -> PlacedMap:
    values = np.array(line["map"], np.float64)
    if values.size != line["rows"] * line["columns"]:
        raise RunError("a map of the run has another size than its grid: it was changed")
    return PlacedMap(values=values.reshape(line["rows"], line["columns"]), field=Field(*line["field"]))


def read_kept(run: RunTables, image_id: str, transform: str, draw: int) -> Pixels | None:
    """Return a kept view; None if it was not kept, cannot be read, or a link has its place.

    Args:
        run: The run.
        image_id: Id of the image.
        transform: Name of the transform, or "original".
        draw: The draw.
    """
    try:
        path = find_view(run.folder, image_id=image_id, transform=transform, draw=draw)
        # Kept views are PNG; other formats did not come from embshift.
        with Image.open(path, formats=("PNG",)) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                return None
            return np.array(opened.convert("RGB"))
    except (RunError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _read_details(run: RunTables, asked: Asked) -> Details:
    """Return what an explanation holds of the view; nothing where the run was not explained."""
    try:
        if not find_explained(run.folder):
            return NOTHING
        return _make_details(open_explained(run.folder, fingerprint=str(run.info["fingerprint"])), asked)
    except (ShiftError, ArithmeticError, LookupError, TypeError, ValueError):
        return NOTHING  # a damaged explanation; the run's own numbers still stand


def _make_details(found: ExplainedTables, asked: Asked) -> Details:
    lines = {name: _find_line(found, name, asked) for name in ("layers", "shares", "maps")}
    heads, head_layer, others = arrange_shares(
        found.record["components"],
        (lines["shares"] or {}).get("share", []),
        layers=int(found.record.get("layers", 0)),
    )
    line = lines["maps"]
    return Details(
        layers=None if lines["layers"] is None else tuple(lines["layers"]["cosine"]),
        heads=heads,
        head_layer=head_layer,
        others=others,
        shift_map=None if line is None else _make_shift_map(line),
    )


def _find_line(found: ExplainedTables, table: str, asked: Asked) -> dict[str, Any] | None:
    for chunk in found.chunks(table):
        own = chunk.filter(_pick(asked.row or 0, asked.transform, asked.draw)).to_pylist()
        if own:
            return own[0]
    return None


def _make_shift_map(line: Mapping[str, Any]) -> PlacedMap:
    change = np.array(line["view"], np.float64) - np.array(line["carried"], np.float64)
    return PlacedMap(values=change.reshape(line["rows"], line["columns"]), field=Field(*line["field"]))
