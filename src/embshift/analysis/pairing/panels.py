"""Panels: what of a run, or of a stored baseline, is needed to pair it with another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embshift.analysis.pairing.specifications import Specification, read_specifications
from embshift.core.types import ORIGINAL
from embshift.runs.addresses import describe_folder
from embshift.runs.tables import RunTables

__all__ = ["ORIGINALS", "PREPARED", "Panel", "read_panel", "read_weights_digest"]

DIGITS = 16
"""Hexadecimal digits of the digest of a view's pixels that are compared: 64 bits."""

ORIGINALS = ("image_size", "resize", "decode", "background", "value_range")
"""Fields of a plan that determine the pixels of originals."""

PREPARED = (*ORIGINALS, "seed", "views")
"""Fields of a plan that determine the pixels of originals and views."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Panel:
    """The images and transforms of one side of a comparison.

    Attributes:
        path: Path of the folder or file, for errors.
        label: Its last part, for tables and notes.
        encoder: Name, digest, dim and other fields of the encoder, as in ``run.json``.
        specifications: Specification of each transform by name, in the order of the plan.
        prepared: The fields of the plan in `PREPARED`.
        views: One row for every original and view: image (its id), transform, draw, and digest, the first
            16 digits of the digest of its pixels, null where it has no embedding. Equal images are listed
            once.
        failed: Number of images without any result.
    """

    path: str
    label: str
    encoder: Mapping[str, Any]
    specifications: Mapping[str, Specification]
    prepared: Mapping[str, Any]
    views: pa.Table
    failed: int

    def images(self) -> frozenset[str]:
        """Return the ids of the images whose original has an embedding."""
        own = (pc.field("transform") == ORIGINAL) & pc.field("digest").is_valid()
        return frozenset(self.views.filter(own)["image"].to_pylist())


def read_panel(run: RunTables) -> Panel:
    """Read the panel of a run.

    Args:
        run: The run; it need not be finished.
    """
    plan = run.info["plan"]
    ids = run.image_ids()
    return Panel(
        path=describe_folder(run.folder),
        label=run.folder.name,
        encoder=run.info["encoder"],
        specifications=read_specifications(run.info),
        prepared={name: plan[name] for name in PREPARED if name in plan},
        views=_read_views(run, ids),
        failed=run.count_images() - len(ids),
    )


def _read_views(run: RunTables, ids: Mapping[int, str]) -> pa.Table:
    repeated = run.repeated()
    rows = np.array([row for row in ids if row not in repeated], np.int64)
    names = pa.array([ids[row] for row in rows.tolist()], pa.string())
    images = pa.table({"row": rows, "image": names})
    columns = ["row", "transform", "draw", "status", "pixels_digest"]
    parts = [
        chunk.set_column(4, "digest", _shorten(chunk)).drop_columns(["status"])
        for chunk in run.chunks("embeddings", columns)
    ]
    empty = pa.table({"row": [], "transform": [], "draw": [], "digest": []}, schema=_SCHEMA)
    whole = pa.concat_tables([empty, *(part.cast(_SCHEMA) for part in parts)])
    return whole.join(images, "row", join_type="inner").drop_columns(["row"])


_SCHEMA = pa.schema(
    [("row", pa.int64()), ("transform", pa.string()), ("draw", pa.int32()), ("digest", pa.string())]
)


def _shorten(chunk: pa.Table) -> pa.Array:
    both = zip(chunk["status"].to_pylist(), chunk["pixels_digest"].to_pylist(), strict=True)
    return pa.array([digest[:DIGITS] if status == "ok" else None for status, digest in both], pa.string())


def read_weights_digest(encoder: Mapping[str, Any], /) -> str | None:
    """Return the digest of an encoder's weights; None where the run does not know them.

    A service states no digest, that of one's own object may cover its code alone, and that of ingested
    embeddings is their file's.

    Args:
        encoder: The encoder's record in ``run.json``.
    """
    return None if encoder.get("family") in ("object", "ingested") else encoder.get("digest") or None
