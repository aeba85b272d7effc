"""Where in views their shifts come from: the maps of an explanation. Never imports torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float64

from embshift.analysis.explained_rows import SAMPLED, read_own
from embshift.core.errors import RunError
from embshift.core.types import Field
from embshift.runs.explained import ExplainedTables

__all__ = ["ViewMap", "read_map", "read_maps"]

_MAP_COLUMNS = (
    "image_id",
    "rows",
    "columns",
    "field",
    "view",
    "clean",
    "carried",
    "left_picture",
    "not_placed",
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ViewMap:
    """Where in one view its shift comes from, in units of share.

    Attributes:
        row: Row of the image in the listing.
        image_id: Its id.
        transform: The transform.
        draw: The draw.
        field: The rectangle of the image that the encoder saw.
        view: Part of each patch of the view.
        clean: Part of each patch of the original, at its place there.
        carried: The same, at its place in the view.
        left_picture: What of the original's part is outside the view.
        not_placed: Share without a place.
    """

    row: int
    image_id: str
    transform: str
    draw: int
    field: Field
    view: Float64[np.ndarray, "rows columns"]
    clean: Float64[np.ndarray, "rows columns"]
    carried: Float64[np.ndarray, "rows columns"]
    left_picture: float
    not_placed: float

    @property
    def change(self) -> Float64[np.ndarray, "rows columns"]:
        """The view's part less the original's, patch by patch of the view."""
        return self.view - self.carried


def read_map(found: ExplainedTables, transform: str, row: int, *, draw: int = 0) -> ViewMap:
    """Return where in one view its shift comes from.

    Args:
        found: The explanation.
        transform: The transform.
        row: Row of the image in the listing.
        draw: The draw.

    Raises:
        RunError: If the explanation has no map of this view.
        UnknownNameError: If it has no such transform.
    """
    own = read_own(found, "maps", transform, _MAP_COLUMNS)
    lines = [line for line in own.to_pylist() if (line["row"], line["draw"]) == (row, draw)]
    if not lines:
        raise RunError(
            f"the explanation of {found.run} has no map of {transform}, draw {draw}, of the image in row"
            f" {row}: it is not in the explanation's sample"
        )
    return _make_map(lines[0])


def read_maps(found: ExplainedTables, rows: Sequence[int]) -> dict[tuple[int, str], ViewMap]:
    """Return the maps of the first draws of some images, by row and transform; reads the table once.

    Args:
        found: The explanation.
        rows: Rows of the images in the run's listing; those that were not explained have no map.
    """
    asked = set(rows)
    maps = dict[tuple[int, str], ViewMap]()
    for chunk in found.chunks("maps", [*SAMPLED, *_MAP_COLUMNS]):
        keys = zip(chunk["row"].to_pylist(), chunk["draw"].to_pylist(), strict=True)
        own = chunk.filter(pa.array([row in asked and draw == 0 for row, draw in keys], pa.bool_()))
        maps |= {(line["row"], line["transform"]): _make_map(line) for line in own.to_pylist()}
    return maps


def _make_map(line: Mapping[str, Any]) -> ViewMap:
    grid = (line["rows"], line["columns"])
    view, clean, carried = (
        np.array(line[name], np.float64).reshape(grid) for name in ("view", "clean", "carried")
    )
    return ViewMap(
        row=line["row"],
        image_id=line["image_id"],
        transform=line["transform"],
        draw=line["draw"],
        field=Field(*line["field"]),
        view=view,
        clean=clean,
        carried=carried,
        left_picture=line["left_picture"],
        not_placed=line["not_placed"],
    )
