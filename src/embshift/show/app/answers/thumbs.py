"""The answer to ``/api/thumb``: small images, always encoded anew."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from embshift.core.types import ORIGINAL, Pixels
from embshift.runs.view_files import encode_png
from embshift.show.app.answers.requests import Desk, RefusedError, check_number, check_transform
from embshift.show.app.served.live import NotLiveError
from embshift.show.app.served.recorded import read_kept

__all__ = ["SIDE", "make_thumb"]

SIDE = 160
"""Longer side of a thumbnail in pixels, unless another one is asked for."""

_KEPT = 1_000
"""Thumbnails that stay in memory."""


def make_thumb(desk: Desk, row: int | None, *, transform: str = ORIGINAL, side: int = SIDE) -> bytes:
    """Return a thumbnail of an image, or of the view that the run measured first, as PNG.

    Args:
        desk: The runs.
        row: Row of the image; None for the dropped one.
        transform: A transform; "original" for the image itself.
        side: Longer side in pixels.

    Raises:
        RefusedError: If there is no such image, or it cannot be shown.
    """
    check_number(side, "side", 16, 512)
    if transform != ORIGINAL:
        check_transform(desk.first, transform)
    key = (row, transform, side)
    with desk.lock:
        kept = desk.thumbs.get(key) if row is not None else None
    if kept is not None:
        return kept
    found = encode_png(_shrink(_find_pixels(desk, row, transform), side))
    with desk.lock:
        while len(desk.thumbs) >= _KEPT:
            desk.thumbs.pop(next(iter(desk.thumbs)))
        desk.thumbs[key] = found
    return found


def _find_pixels(desk: Desk, row: int | None, transform: str) -> Pixels:
    side = desk.first
    if row is not None:
        line = side.lines.get(row)
        if line is None:
            raise RefusedError(404, f"the run has no usable image in row {row}")
        kept = read_kept(side.run, line.image_id, transform, 0)
        if kept is not None:
            return kept
    if side.live is None:
        raise RefusedError(404, f"this image was not kept, and cannot be made again: {side.why}")
    try:
        return side.live.make(row, transform)
    except NotLiveError as error:
        raise RefusedError(404, str(error)) from error


def _shrink(pixels: Pixels, side: int) -> UInt8[np.ndarray, "rows columns 3"]:
    image = Image.fromarray(pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image)
