"""The answer to ``/api/gallery``: images in the order of their shifts, a page at a time."""

from typing import Any

import numpy as np

from embshift.core.errors import RunError
from embshift.runs.view_files import find_view
from embshift.show.app.answers.requests import Desk, RefusedError, check_number, check_transform
from embshift.show.app.served.run import ServedRun

__all__ = ["list_gallery"]

_MOST = 200
"""Items of one page at most."""


def list_gallery(desk: Desk, *, transform: str | None, order: str, cursor: int, count: int) -> dict[str, Any]:
    """Return a page of views in the order of their relative shifts; undefined ones come last.

    Args:
        desk: The runs.
        transform: A transform; None for the views of all.
        order: "most" or "least" shifted first.
        cursor: Number of views before the page.
        count: Views on the page.
    """
    side = desk.first
    if order not in ("most", "least"):
        raise RefusedError(422, f"order is {order[:40]!r}; expected most or least")
    check_number(cursor, "cursor", 0, 2**53)
    check_number(count, "count", 1, _MOST)
    places = _order(side, transform, least=order == "least")
    page = places[cursor : cursor + count]
    end = cursor + len(page)
    return {
        "total": len(places),
        "next": end if end < len(places) else None,
        "items": _list_items(side, page),
    }


def _order(side: ServedRun, transform: str | None, *, least: bool) -> np.ndarray:
    if transform is None:
        places = side.order
    else:
        at = side.transforms.index(check_transform(side, transform))
        images = side.order_of(transform)
        places = np.stack([np.full(len(images), at), images], axis=1)
    if not least:
        return places
    shifts = np.stack([side.find_views(name).relative_shift for name in side.transforms])
    undefined = np.isnan(shifts[places[:, 0], places[:, 1]])
    return np.concatenate([places[~undefined][::-1], places[undefined]])


def _list_items(side: ServedRun, page: np.ndarray) -> list[dict[str, Any]]:
    found = list[dict[str, Any]]()
    for at, place in page.tolist():
        name, row = side.transforms[at], int(side.pairs.rows[place])
        views = side.find_views(name)
        has_view = np.isfinite(views.units[place, 0])
        line = side.lines[row]
        found.append(
            {
                "row": row,
                "image_id": line.image_id,
                "name": line.name,
                "transform": name,
                "relative_shift": float(views.relative_shift[place]),
                "rank": int(side.scan(views.units[place], own=place, neighbours=1).rank[0])
                if has_view
                else None,
                "of": len(side.pairs),
                "kept": _is_kept(side, line.image_id, name),
            }
        )
    return found


def _is_kept(side: ServedRun, image_id: str, transform: str) -> bool:
    try:
        return find_view(side.run.folder, image_id=image_id, transform=transform, draw=0).exists()
    except RunError:
        return False
