"""The answer to ``/api/projection``: originals and views in a plane, and how much of each shift it shows."""

from typing import Any

import numpy as np
from jaxtyping import Float64

from embshift.show.app.answers.frames import Body, pack
from embshift.show.app.answers.requests import Desk, RefusedError, check_transform
from embshift.show.app.served.run import ServedRun
from embshift.show.handover.projection import find_axes, orient

__all__ = ["project_views"]


def project_views(desk: Desk, *, transform: str, plane: str, encoder: int) -> bytes:
    """Return places of originals and first views in a plane.

    Args:
        desk: The runs.
        transform: A transform.
        plane: "images": first two principal components of the originals; "own": the two directions that
            hold most of the transform's squared shifts.
        encoder: Number of the run.
    """
    side = desk.find_side(encoder)
    check_transform(side, transform)
    if plane not in ("images", "own"):
        raise RefusedError(422, f"plane is {plane[:40]!r}; expected images or own")
    units, views = side.pairs.units, side.find_views(transform)
    moved = np.where(np.isfinite(views.units), views.units - units, 0.0)
    axes, variance = find_axes(units) if plane == "images" else (_find_own_axes(moved), np.nan)
    centred = units - units.mean(axis=0)
    places, arrows = centred @ axes, moved @ axes
    squares, shown = np.einsum("ij,ij->i", moved, moved), np.einsum("ij,ij->i", arrows, arrows)
    has_view = np.isfinite(views.units[:, :1])
    return pack(
        {
            "rows": len(units),
            "transform": transform,
            "plane": plane,
            "variance": float(variance) if plane == "images" else _share(centred, places),
            "shown": float(shown.sum() / squares.sum()) if squares.sum() > 0 else None,
            "row_ids": _list_rows(desk, side),
            "names": [side.lines[row].name for row in side.pairs.rows.tolist()],
            "shifts": views.relative_shift.tolist(),
        },
        [
            _make_body("originals", places),
            _make_body("views", np.where(has_view, places + arrows, np.nan)),
            _make_body(
                "shown", np.divide(shown, squares, out=np.full(len(units), np.nan), where=squares > 0)
            ),
        ],
        name="arrays",
    )


def _find_own_axes(moved: Float64[np.ndarray, "images dim"]) -> Float64[np.ndarray, "dim axes"]:
    _, vectors = np.linalg.eigh(moved.T @ moved)  # ascending
    return orient(vectors[:, ::-1][:, :2])


def _share(
    centred: Float64[np.ndarray, "images dim"], places: Float64[np.ndarray, "images axes"]
) -> float | None:
    total = float(np.square(centred).sum())
    return float(np.square(places).sum()) / total if total > 0 else None


def _list_rows(desk: Desk, side: ServedRun) -> list[int | None]:
    """Return the rows by which the page counts: those of the first run."""
    if side is desk.first:
        return side.pairs.rows.tolist()
    return [desk.first.find_row(one) for one in side.pairs.ids]


def _make_body(name: str, values: Float64[np.ndarray, "..."]) -> Body:
    about: dict[str, Any] = {"name": name, "type": "float32", "shape": list(values.shape)}
    return Body(about=about, data=values.astype("<f4").tobytes())
