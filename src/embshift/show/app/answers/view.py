"""The answer to ``/api/view``: a view beside its original, in numbers, neighbours, maps and images."""

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.analysis.embeddings.calibration import divide_by_scale
from embshift.analysis.embeddings.neighbours import half_squared_distances, scan
from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.core.types import Pixels
from embshift.show.app.answers.requests import DROPPED, Desk, RefusedError, check_number, check_transform
from embshift.show.app.answers.sentence import write_sentence
from embshift.show.app.frames import Body, pack
from embshift.show.app.live import Asked, NotLiveError, PlacedMap, Reach, Seen
from embshift.show.app.recorded import see_recorded
from embshift.show.app.served import ServedRun
from embshift.show.text.words import make_visible

__all__ = ["answer_view", "read_wish"]

_NEIGHBOURS = 8


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
    content = _measure(desk, wish, seen)
    compared = time.perf_counter()
    bodies = list(_list_bodies(seen))
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


def _measure(desk: Desk, wish: Wish, seen: Seen) -> dict[str, Any]:
    """Compare a view with its original and with all others."""
    side = wish.side
    (original, view), _ = unit_vectors(np.stack([seen.original_embedding, seen.embedding]))
    if not np.isfinite([original, view]).all():
        raise RefusedError(
            409, "the encoder gives this view no direction: its embedding is zero or not finite"
        )
    own = None if wish.asked.row is None else side.find_place(wish.asked.row)
    gallery, others = side.pairs.units, np.nan
    if own is None:
        # A dropped image is compared with all of the run's, and is itself one more.
        others = float(half_squared_distances(gallery, original[None]).mean())
        gallery, own = np.concatenate([gallery, original[None]]), len(gallery)
    else:
        others = float(side.others[own])
    found = scan(view[None], gallery, own=np.array([own]), neighbours=_NEIGHBOURS)
    shift = half_squared_distances(original[None], view[None])
    relative = float(divide_by_scale(shift, np.array([others]))[0])
    rank, cosine = int(found.rank[0]), float(found.own[0])
    nearest = found.nearest[0].tolist()
    over = nearest[0] if rank > 1 and nearest else None
    return {
        "sentence": write_sentence(
            relative,
            cosine=cosine,
            rank=rank,
            of=len(gallery),
            overtaker="" if over is None else _name(desk, side, over),
        ),
        "relative_shift": relative,
        "cosine": cosine,
        "rank": rank,
        "of": len(gallery),
        "overtaken_by": None if over is None else _find_row(desk, side, over),
        "neighbours": _list_neighbours(
            desk, wish, (view @ gallery[nearest].T).tolist(), nearest, (rank, cosine)
        ),
    }


def _list_neighbours(
    desk: Desk, wish: Wish, cosines: Sequence[float], nearest: Sequence[int], own: tuple[int, float]
) -> list[dict[str, Any]]:
    side, (rank, cosine) = wish.side, own
    lines = [
        {"row": _find_row(desk, side, at), "name": _name(desk, side, at), "cosine": each, "original": False}
        for at, each in zip(nearest, cosines, strict=True)
    ]
    name = "dropped image" if wish.row is None else desk.first.lines[wish.row].name
    row = DROPPED if wish.row is None else wish.row
    lines.insert(rank - 1, {"row": row, "name": name, "cosine": cosine, "original": True})
    # Where many others are nearer, the original does not stand among the nearest.
    return lines[:_NEIGHBOURS] if rank <= _NEIGHBOURS else [one for one in lines if not one["original"]]


def _find_row(desk: Desk, side: ServedRun, at: int) -> int | None:
    row = int(side.pairs.rows[at])
    return row if side is desk.first else desk.first.find_row(side.pairs.ids[at])


def _name(desk: Desk, side: ServedRun, at: int) -> str:
    return side.lines[int(side.pairs.rows[at])].name


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


def _list_bodies(seen: Seen) -> Iterator[Body]:
    for name, pixels in (("view", seen.pixels), ("original", seen.original)):
        if pixels is not None:
            yield Body(about={"name": name, "type": "image/png"}, data=_encode(pixels))
    size = next((one.shape[:2] for one in (seen.pixels, seen.original) if one is not None), None)
    for name, placed in (("map", seen.map), ("original_map", seen.original_map)):
        if placed is not None:
            yield _make_map(name, placed, size=size)
    placed = seen.details.shift_map
    if placed is not None and np.isfinite(placed.values).all():
        yield _make_map("shift_map", placed, size=size, signed=True)


def _encode(pixels: Pixels) -> bytes:
    # Level 1 takes a third of the time of level 3, for a file that never leaves this machine.
    ok, encoded = cv2.imencode(".png", pixels[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not ok:
        raise ValueError(f"OpenCV cannot write an image of {pixels.shape} as PNG")
    return encoded.tobytes()


def _make_map(name: str, placed: PlacedMap, *, size: tuple[int, ...] | None, signed: bool = False) -> Body:
    """Return a map in steps of 1/255 from its low to its high end; a signed one has 0 in the middle."""
    values = placed.values
    low, high = _find_ends(values, signed=signed)
    steps = np.zeros(values.shape, np.uint8)
    if high > low:
        steps = np.round(255 * np.nan_to_num((values - low) / (high - low))).astype(np.uint8)
    field = None
    if size is not None:
        height, width = size
        top, left, tall, wide = placed.field
        field = [top / height, left / width, tall / height, wide / width]
    about = {
        "name": name,
        "type": "uint8",
        "shape": list(values.shape),
        "low": low,
        "high": high,
        "field": field,
    }
    return Body(about=about, data=steps.tobytes())


def _find_ends(values: Float64[np.ndarray, "rows columns"], *, signed: bool) -> tuple[float, float]:
    if signed:
        most = float(np.abs(values).max())
        return -most, most
    return float(np.nanmin(values)), float(np.nanmax(values))
