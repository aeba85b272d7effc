"""Images of a run whose views were kept, by row of the listing."""

from collections.abc import Mapping
from typing import Any

import pyarrow.compute as pc

from embshift.core.errors import RunError
from embshift.runs.places import list_in
from embshift.runs.tables import RunTables

__all__ = ["find_kept_views"]

_MOST_KEPT = 100_000
"""Images whose kept views are considered."""


def find_kept_views(run: RunTables) -> dict[int, Mapping[str, Any]]:
    """Return row, id, source, member and index of the images with kept views, by row."""
    try:
        ids = [one.name for one in list_in(run.folder, "views", pattern="*")][:_MOST_KEPT]
    except RunError:  # a link: views outside the run folder are not read
        return {}
    wanted = pc.field("image_id").isin(ids)
    columns = ["row", "image_id", "source", "member", "index"]
    chunks = run.chunks("images", columns) if ids else iter(())
    return {line["row"]: line for chunk in chunks for line in chunk.filter(wanted).to_pylist()}
