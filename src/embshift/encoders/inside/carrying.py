"""Maps over patches, moved along a transform: nothing of a map is lost or made, what leaves is counted."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from embshift.core.types import Coordinates, Field

__all__ = ["Overlap", "carry_map", "find_overlap"]

_CELLS = 4
"""Most cells along a side of a patch; a cell of the original is seen if some pixel of the view shows it."""


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
    sides = _count_cells(places, grid=grid, field=field)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    seen = _locate(rows, columns, grid=grid, field=field, sides=sides)
    down, across = (places[..., axis].astype(np.float64) for axis in (1, 0))
    shown = _locate(down, across, grid=grid, field=field, sides=sides)
    both = (seen.patch >= 0) & (shown.patch >= 0)
    count = grid[0] * grid[1]
    pairs = seen.patch[both] * count + shown.patch[both]
    pixels = np.bincount(pairs, minlength=count * count).reshape(count, count).astype(np.float64)
    total = pixels.sum(axis=0)
    cells = np.zeros((count, sides[0] * sides[1]), bool)
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


def _count_cells(places: Coordinates, *, grid: tuple[int, int], field: Field) -> tuple[int, int]:
    """Return the cells of a patch, down and across, none of them smaller than what a pixel steps over."""
    # A lattice of points turned by 45 degrees leaves squares empty up to a side of √2 of its step.
    reach = 2**0.5 * _measure_step(places)
    patch = (field.height / grid[0], field.width / grid[1])
    down, across = (min(_CELLS, max(1, int(side / reach))) for side in patch)
    return down, across


def _measure_step(places: Coordinates) -> float:
    """Return how far apart in the original neighbouring pixels of the view are, at least 1 pixel."""
    steps = [
        np.linalg.norm(np.diff(places, axis=axis), axis=-1).ravel()
        for axis in (0, 1)
        if places.shape[axis] > 1
    ]
    known = [found[np.isfinite(found)] for found in steps]
    # The upper quartile: most of a map in perspective, but not the jumps at edges of a map in pieces.
    return max([1.0, *(float(np.quantile(found, 0.75)) for found in known if len(found))])


def _locate(
    rows: Float64[np.ndarray, "height width"],
    columns: Float64[np.ndarray, "height width"],
    *,
    grid: tuple[int, int],
    field: Field,
    sides: tuple[int, int],
) -> _Located:
    (high, wide), (most_down, most_across) = sides, (grid[0] * sides[0], grid[1] * sides[1])
    # Pixel centres are at whole numbers, so a pixel reaches half a pixel to each side.
    down = (rows + 0.5 - field.top) / field.height * most_down
    across = (columns + 0.5 - field.left) / field.width * most_across
    with np.errstate(invalid="ignore"):
        inside = (down >= 0) & (down < most_down) & (across >= 0) & (across < most_across)
    row = np.where(inside, down, 0).astype(np.int64)
    column = np.where(inside, across, 0).astype(np.int64)
    patch = row // high * grid[1] + column // wide
    return _Located(patch=np.where(inside, patch, -1), cell=row % high * wide + column % wide)
