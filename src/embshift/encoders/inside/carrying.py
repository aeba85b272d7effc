"""Maps over patches, moved along a transform: nothing of a map is lost or made, what leaves is counted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.core.types import Coordinates, Field

__all__ = ["Overlap", "carry_map", "find_overlap"]

_CELLS = 4
"""Cells along each side of a patch; a cell of the original is seen if some pixel of the view shows it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlap:
    """Where the patches of the original are in a view.

    Attributes:
        spread: Share of each original patch's visible part in each patch of the view, (view, original); each
            column sums to 1, or is 0 where nothing of the patch is visible.
        visible: Share of each original patch that is visible in the view, 0 to 1.
    """

    spread: Float64[np.ndarray, "patches patches"]
    visible: Float64[np.ndarray, " patches"]


def find_overlap(places: Coordinates, /, *, grid: tuple[int, int], field: Field) -> Overlap:
    """Find where the patches of the original are in a view.

    Args:
        places: The view's coordinate map.
        grid: Rows and columns of patches.
        field: The rectangle of the image that the encoder saw, in view and original alike.
    """
    height, width = places.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    seen = _locate(rows, columns, grid=grid, field=field)
    shown = _locate(
        places[..., 1].astype(np.float64), places[..., 0].astype(np.float64), grid=grid, field=field
    )
    both = (seen.patch >= 0) & (shown.patch >= 0)
    count = grid[0] * grid[1]
    pairs = seen.patch[both] * count + shown.patch[both]
    pixels = np.bincount(pairs, minlength=count * count).reshape(count, count).astype(np.float64)
    total = pixels.sum(axis=0)
    cells = np.zeros((count, _CELLS * _CELLS), bool)
    cells[shown.patch[both], shown.cell[both]] = True
    return Overlap(
        spread=np.divide(pixels, total, out=np.zeros_like(pixels), where=total > 0),
        visible=cells.mean(axis=1),
    )


def carry_map(
    values: Float64[np.ndarray, " patches"], overlap: Overlap | None, /
) -> tuple[Float64[np.ndarray, " patches"], float]:
    """Carry a map of the original to the patches of a view.

    Args:
        values: A value for each patch of the original.
        overlap: Where the patches are in the view; None where they stay.

    Returns:
        A value for each patch of the view, and what is outside the view; together they sum to the map's sum.
    """
    if overlap is None:
        return values, 0.0
    kept = values * overlap.visible
    return overlap.spread @ kept, float((values - kept).sum())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Located:
    """The patch of each place, -1 outside the field, and the cell within it."""

    patch: Int64[np.ndarray, "height width"]
    cell: Int64[np.ndarray, "height width"]


def _locate(
    rows: Float64[np.ndarray, "height width"],
    columns: Float64[np.ndarray, "height width"],
    *,
    grid: tuple[int, int],
    field: Field,
) -> _Located:
    # Pixel centres are at whole numbers, so a pixel reaches half a pixel to each side.
    down = (rows + 0.5 - field.top) / field.height * grid[0] * _CELLS
    across = (columns + 0.5 - field.left) / field.width * grid[1] * _CELLS
    with np.errstate(invalid="ignore"):
        inside = (down >= 0) & (down < grid[0] * _CELLS) & (across >= 0) & (across < grid[1] * _CELLS)
    row = np.where(inside, down, 0).astype(np.int64)
    column = np.where(inside, across, 0).astype(np.int64)
    patch = row // _CELLS * grid[1] + column // _CELLS
    return _Located(patch=np.where(inside, patch, -1), cell=row % _CELLS * _CELLS + column % _CELLS)
