"""embedding-atlas: one Parquet file with coordinates, neighbours, thumbnails and shifts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float64, Int64

from embshift.analysis.embeddings.neighbours import half_squared_distances, scan
from embshift.core.version import __version__
from embshift.core.words import count_noun
from embshift.show.handover import exporter
from embshift.show.handover.points import SAID, Points
from embshift.show.handover.projection import project
from embshift.show.handover.thumbnails import encode_jpeg, read_small

__all__ = ["MOST_BYTES", "write_atlas"]

NEIGHBOURS = 10
"""Number of nearest points that are listed for each point."""

SIDE = 128
"""Pixels of a thumbnail's longer side."""

MOST_BYTES = 128 * 2**20
"""Size of all thumbnails together, beyond which no more are added."""

_COLUMNS = (
    "x",
    "y",
    "neighbors",
    "image",
    "row",
    "image_id",
    "member",
    "transform",
    "draw",
    "embedding",
    *SAID,
)
_NEIGHBOURS = pa.struct([("ids", pa.list_(pa.int64())), ("distances", pa.list_(pa.float64()))])
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@exporter(
    name="embedding-atlas",
    summary="one Parquet file: x, y, neighbors, image, the embeddings, and every shift",
    opened="embedding-atlas PATH --x x --y y --neighbors neighbors --image image",
    mark="parquet",
)
def write_atlas(points: Points, path: Path) -> tuple[str, ...]:
    """Write the file; the order of its rows is that which ``neighbors`` counts in."""
    places, share = project(points.units)
    thumbnails, notes = _list_thumbnails(points)
    columns: dict[str, Any] = {
        "x": pa.array(places[:, 0]),
        "y": pa.array(places[:, 1]),
        "neighbors": pa.array(_list_neighbours(points), _NEIGHBOURS),
        "image": pa.array(thumbnails, _IMAGE),
        "row": pa.array(points.rows),
        "image_id": pa.array(points.ids),
        "member": pa.array(points.members),
        "transform": pa.array(points.transforms),
        "draw": pa.array(points.draws),
        "embedding": pa.FixedSizeListArray.from_arrays(
            pa.array(points.embeddings.ravel()), points.embeddings.shape[1]
        ),
    }
    columns |= {name: pa.array(held, pa.string()) for name, held in points.said.items()}
    columns |= {
        name if name not in _COLUMNS else f"metric_{name}": pa.array(values, mask=np.isnan(values))
        for name, values in points.shifts.items()
    }
    about = {"embshift": __version__, "encoder": points.encoder, "projection": "PCA of unit embeddings"}
    table = pa.table(columns).replace_schema_metadata({"embshift_export": json.dumps(about)})
    pq.write_table(table, path)
    return (f"x and y are the first two principal components: {share:.0%} of the variance", *notes)


def _list_neighbours(points: Points) -> list[Mapping[str, Any]]:
    """Return, for each point, the positions and cosine distances of the nearest others."""
    found = scan(points.units, points.units, own=np.arange(len(points)), neighbours=NEIGHBOURS)
    return [
        {"ids": near.tolist(), "distances": _distances(points.units, at, near).tolist()}
        for at, near in enumerate(found.nearest)
    ]


def _distances(
    units: Float64[np.ndarray, "points dim"], at: int, near: Int64[np.ndarray, " neighbours"]
) -> Float64[np.ndarray, " neighbours"]:
    others = units[near]
    return half_squared_distances(others, np.broadcast_to(units[at], others.shape))


def _list_thumbnails(points: Points) -> tuple[list[Mapping[str, Any] | None], Sequence[str]]:
    left, found, beyond, broken = MOST_BYTES, list[Mapping[str, Any] | None](), 0, 0
    for at, path in enumerate(points.kept):
        small = None if path is None or beyond else read_small(path, side=SIDE)
        content = b"" if small is None else encode_jpeg(small)
        broken += path is not None and small is None and not beyond
        if path is not None and (beyond or len(content) > left):
            beyond, content = beyond + 1, b""
        left -= len(content)
        name = f"{points.ids[at]}/{points.transforms[at]}-{points.draws[at]}.jpg"
        found.append({"bytes": content, "path": name} if content else None)
    kept = sum(one is not None for one in found)
    notes = [f"{count_noun(kept, 'thumbnail')} of kept views; the other images are empty"]
    if beyond:
        notes.append(f"{beyond:,} thumbnails are left out beyond {MOST_BYTES // 2**20} MiB")
    if broken:
        notes.append(f"{count_noun(broken, 'kept view')} cannot be read; run 'embshift verify'")
    return found, notes if kept < len(points) or broken else []
