"""A view that the page asks for, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embshift.show.app.answers.requests import DROPPED, Desk, RefusedError, check_number, check_transform
from embshift.show.app.served.live import Asked, Reach
from embshift.show.app.served.run import ServedRun

__all__ = ["Wish", "read_wish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A view that the page asks for.

    Attributes:
        side: The run.
        asked: The view, by the rows of that run.
        row: Row of the image in the first run; None for the dropped image.
    """

    side: ServedRun
    asked: Asked
    row: int | None


def read_wish(desk: Desk, content: Mapping[str, Any]) -> Wish:
    """Check a request for a view.

    Args:
        desk: The runs.
        content: What the page sent.

    Raises:
        RefusedError: If something in it is wrong.
    """
    side = desk.find_side(content.get("encoder", 0))
    image = content.get("row")
    row = None if image == DROPPED else desk.find_row(image)
    transform = check_transform(side, content.get("transform"))
    draws = int(side.run.info["plan"].get("draws", 1))
    layer, head = content.get("layer"), content.get("head")
    asked = Asked(
        row=None if row is None else _find_own_row(desk, side, row),
        transform=transform,
        strength=_read_strength(content.get("strength"), side.reaches.get(transform, Reach())),
        draw=check_number(content.get("draw", 0), "draw", 0, max(draws, 100) - 1),
        detail=content.get("detail", True) is True,
        head=None
        if layer is None or head is None
        else (check_number(layer, "layer", 0, 999), check_number(head, "head", 0, 999)),
    )
    return Wish(side=side, asked=asked, row=row)


def _find_own_row(desk: Desk, side: ServedRun, row: int) -> int:
    if side is desk.first:
        return row
    own = side.find_row(desk.first.lines[row].image_id)
    if own is None:
        raise RefusedError(404, f"{side.title} has not measured this image")
    return own


def _read_strength(value: object, reach: Reach) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise RefusedError(422, f"strength is {str(value)[:40]!r}; expected a number or null")
    if value == reach.recorded:
        return None  # the measured view itself
    if reach.ends is None:
        raise RefusedError(422, reach.why or "this transform has no strength to turn")
    return float(value)
