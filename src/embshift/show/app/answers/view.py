"""The answer to ``/api/view``: a view beside its original, in numbers, neighbours, maps and images."""

import shlex
import time
from typing import Any

import numpy as np

from embshift.show.app.answers.bodies import list_bodies
from embshift.show.app.answers.frames import pack
from embshift.show.app.answers.nearest import compare_view
from embshift.show.app.answers.requests import DROPPED, Desk, RefusedError
from embshift.show.app.answers.wish import Wish
from embshift.show.app.served.live import Asked, NotLiveError, Reach, Seen
from embshift.show.app.served.recorded import see_recorded
from embshift.show.app.served.run import ServedRun
from embshift.show.text.words import make_visible

__all__ = ["answer_view"]


def answer_view(desk: Desk, wish: Wish) -> bytes:
    """Make a view, encode it, and compare it with all originals.

    Args:
        desk: The runs.
        wish: The view.

    Raises:
        RefusedError: If it cannot be shown.
    """
    seen = _see(wish)
    side, start = wish.side, time.perf_counter()
    content = compare_view(desk, wish, seen)
    compared = time.perf_counter()
    bodies = list(list_bodies(seen))
    ended = time.perf_counter()
    reach = side.reaches.get(wish.asked.transform, Reach())
    taken = {
        **seen.milliseconds,
        "neighbours": 1000 * (compared - start),
        "png": 1000 * (ended - compared),
    }
    return pack(
        {
            "row": DROPPED if wish.row is None else wish.row,
            "image_id": seen.image_id,
            "name": "dropped image" if wish.row is None else desk.first.lines[wish.row].name,
            "transform": wish.asked.transform,
            "strength": _find_strength(seen, reach),
            "unit": "" if reach.unit == "1" else reach.unit,
            "recorded": seen.recorded,
            "draw": wish.asked.draw,
            "draws": side.run.info["plan"].get("draws", 1),
            "place": _find_gallery_place(side, wish.asked),
            **content,
            **_describe_details(seen),
            "metrics": dict(seen.metrics),
            "command": _write_command(desk, wish, seen),
            "milliseconds": {name: round(value, 2) for name, value in taken.items()},
        },
        bodies,
    )


def _find_strength(seen: Seen, reach: Reach) -> float | None:
    """Return a view's strength; a plan need not state that of the measured view."""
    return reach.recorded if seen.strength is None else seen.strength


def _see(wish: Wish) -> Seen:
    side, asked = wish.side, wish.asked
    reach = side.reaches.get(asked.transform, Reach())
    why = reach.why or side.why
    if side.live is not None and not reach.why:
        try:
            return side.live.see(asked)
        except NotLiveError as error:
            why = str(error)
    try:
        return see_recorded(side, asked, why=why)
    except NotLiveError as error:
        raise RefusedError(409, make_visible(str(error))) from error


def _find_gallery_place(side: ServedRun, asked: Asked) -> int | None:
    own = None if asked.row is None else side.find_place(asked.row)
    if own is None:
        return None
    return int(np.flatnonzero(side.order_of(asked.transform) == own)[0])


def _describe_details(seen: Seen) -> dict[str, Any]:
    known = seen.details
    return {
        "layers": known.layers,
        "heads": known.heads,
        "head_layer": known.head_layer,
        "others": [{"name": name, "share": share} for name, share in known.others],
        "words": None
        if known.words is None
        else [{"word": make_visible(word), "weight": weight} for word, weight in known.words],
        "labels": None
        if known.labels is None
        else {
            "before": make_visible(known.labels[0]),
            "after": make_visible(known.labels[1]),
            "flipped": known.labels[0] != known.labels[1],
        },
        "map_of": None if seen.map_of is None else {"layer": seen.map_of[0], "head": seen.map_of[1]},
    }


def _write_command(desk: Desk, wish: Wish, seen: Seen) -> str | None:
    """Return the command that opens the same view; None for a dropped image."""
    if wish.row is None:
        return None
    known = _find_strength(seen, wish.side.reaches.get(wish.asked.transform, Reach()))
    strength = "recorded" if known is None else f"{known:g}"
    place = f"{wish.row}/{wish.asked.transform}/{strength}"
    return make_visible(f"{desk.command} --at {shlex.quote(place)}")
