"""A view beside its original and all other originals: shift, rank and neighbours."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from embshift.analysis.embeddings.calibration import divide_by_scale
from embshift.analysis.embeddings.neighbours import half_squared_distances, scan
from embshift.analysis.embeddings.pairs import unit_vectors
from embshift.show.app.answers.requests import DROPPED, Desk, RefusedError
from embshift.show.app.answers.sentence import write_sentence
from embshift.show.app.answers.wish import Wish
from embshift.show.app.served.live import Seen
from embshift.show.app.served.run import ServedRun

__all__ = ["compare_view"]

_NEIGHBOURS = 8


def compare_view(desk: Desk, wish: Wish, seen: Seen) -> dict[str, Any]:
    """Compare a view with its original and with all others.

    Args:
        desk: The runs.
        wish: What was asked for.
        seen: The view.

    Raises:
        RefusedError: If the view or its original has no direction.
    """
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
        others = float(half_squared_distances(gallery, np.broadcast_to(original, gallery.shape)).mean())
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
