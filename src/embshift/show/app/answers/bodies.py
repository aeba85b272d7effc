"""Images and maps of a view, as the bodies of a binary answer."""

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Float64

from embshift.core.types import Pixels
from embshift.show.app.answers.frames import Body
from embshift.show.app.served.live import PlacedMap, Seen

__all__ = ["list_bodies"]


def list_bodies(seen: Seen) -> Iterator[Body]:
    """Yield the images as PNG, then the maps in steps of 1/255.

    Args:
        seen: The view.
    """
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
