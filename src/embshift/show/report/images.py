"""Thumbnails for the page, from the views and maps that a run keeps; bounded in bytes."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc

from embshift.core.types import ORIGINAL
from embshift.runs.tables import RunTables
from embshift.show.report.app_command import write_app_command
from embshift.show.report.facts.run import Facts
from embshift.show.report.parts.rounding import round_value
from embshift.show.report.parts.thumbnails import UNREADABLE, name_image, read_kept
from embshift.show.text.words import make_visible

__all__ = ["BYTES", "SIDE", "list_images"]

BYTES = 2_600_000
"""Maximum size of all thumbnails of a page, as text."""

SIDE = 160
"""Pixels of a thumbnail's longer side."""

_CELLS = 32 * 32


@dataclass(kw_only=True, eq=False)
class _Budget:
    """Thumbnails made so far, the bytes left for more, and the number of unreadable views."""

    left: int = BYTES
    unreadable: int = 0
    full: bool = False
    made: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])
    sizes: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])


def list_images(
    run: RunTables, facts: Facts, *, rows: Sequence[int], first: Sequence[tuple[int, str]]
) -> dict[str, Any]:
    """Return names, values and thumbnails of some rows.

    Args:
        run: The run.
        facts: Its numbers.
        rows: The rows, the most important first.
        first: Views (row, transform) to include first while there is room.
    """
    lines = _lines(run, rows)
    budget = _Budget()
    rest = [(row, name) for row in rows for name in facts.transforms]
    for row, name in dict.fromkeys([*first, *rest]):
        if row in lines:
            _add_view(run, lines[row], name, budget=budget)
    maps = _maps(run, [row for row in rows if (row, ORIGINAL) in budget.made])
    place = {int(row): at for at, row in enumerate(facts.values.rows.tolist()) if row in lines}
    found = [
        _content(lines[row], facts, at=place[row], budget=budget, maps=maps)
        | {"serve": write_app_command(run.folder, facts, row=row, at=place[row])}
        for row in rows
        if row in lines
    ]
    return {"items": found, "full": budget.full, "unreadable": budget.unreadable}


def _lines(run: RunTables, rows: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Read the rows from the table ``images``."""
    found = dict[int, dict[str, Any]]()
    wanted = pc.field("row").isin(list(rows))
    for chunk in run.chunks("images", ["row", "image_id", "source", "member", "index"]):
        for line in chunk.filter(wanted).to_pylist():
            found[line["row"]] = line
    return found


def _add_view(run: RunTables, line: Mapping[str, Any], name: str, *, budget: _Budget) -> None:
    """Add the thumbnail of a view, and of its original if that is missing, as long as there is room."""
    row = line["row"]
    both = [one for one in (ORIGINAL, name) if (row, one) not in budget.made]
    small = {one: _thumbnail(run, line, one, budget=budget) for one in both}
    if any(text is None for text in small.values()):
        return
    size = sum(len(text) for text in small.values() if text)
    if size > budget.left:
        budget.full = True
        return
    budget.left -= size
    budget.made |= {(row, one): text for one, text in small.items() if text}


def _thumbnail(run: RunTables, line: Mapping[str, Any], name: str, *, budget: _Budget) -> str | None:
    """Return a kept view as a ``data:`` address; None if it was not kept or cannot be read."""
    if budget.full:
        return None
    try:
        found = read_kept(run, line, name, side=SIDE)
    except UNREADABLE:
        budget.unreadable += 1
        return None
    if found is None:
        return None
    budget.sizes[line["row"]] = found.size
    return found.text


_Maps = Mapping[tuple[int, str], Mapping[str, Any]]


def _maps(run: RunTables, rows: Sequence[int]) -> _Maps:
    """Return the encoder's maps of first draws, by row and transform."""
    if not rows:
        return {}
    columns = ["row", "transform", "draw", "rows", "columns", "field", "map"]
    table = run.attention(rows=rows, columns=columns)
    return {
        (line["row"], line["transform"]): line for line in table.filter(pc.field("draw") == 0).to_pylist()
    }


def _map_content(line: Mapping[str, Any] | None, size: tuple[int, int]) -> dict[str, Any] | None:
    """Return a map scaled to bytes; None if there is none to show."""
    if line is None or line["rows"] * line["columns"] > _CELLS:
        return None
    values = np.array(line["map"], np.float64)
    spread = float(values.max() - values.min())
    if not np.isfinite(spread) or spread <= 0:
        return None
    steps = np.round(255 * (values - values.min()) / spread).astype(np.uint8)
    top, left, height, width = line["field"]
    return {
        "grid": [line["rows"], line["columns"]],
        "field": [
            round_value(part) for part in (top / size[1], left / size[0], height / size[1], width / size[0])
        ],
        "steps": base64.b64encode(steps.tobytes()).decode(),
    }


def _content(
    line: Mapping[str, Any], facts: Facts, *, at: int, budget: _Budget, maps: _Maps
) -> dict[str, Any]:
    row = line["row"]
    size = budget.sizes.get(row, (1, 1))
    names = [name for name in facts.transforms if (row, name) in budget.made]
    return {
        "row": row,
        "id": make_visible(line["image_id"]),
        "name": name_image(line),
        "original": budget.made.get((row, ORIGINAL)),
        "map": _map_content(maps.get((row, ORIGINAL)), size),
        "values": [[round_value(v) for v in part] for part in facts.values.values[at].tolist()],
        "views": list(_views(names, row, facts, budget=budget, maps=maps)),
    }


def _views(
    names: Sequence[str], row: int, facts: Facts, *, budget: _Budget, maps: _Maps
) -> Iterator[dict[str, Any]]:
    for name in names:
        yield {
            "transform": facts.transforms.index(name),
            "image": budget.made[row, name],
            "map": _map_content(maps.get((row, name)), budget.sizes[row]),
        }
