"""What is lost when a picture is stored: JPEG, fewer pixels, and formats one after the other."""

import io
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image

from embshift.core.errors import PlanError
from embshift.core.types import Pixels
from embshift.transforms import Strength, transform

__all__ = ["downscale", "jpeg", "reencode"]

_FORMATS = {"jpeg": "JPEG", "webp": "WEBP"}


@transform(
    name="jpeg",
    family="compression",
    summary="stored once as JPEG and read again, colours at half the resolution",
    strength=Strength(
        meaning="quality", unit="1", least=1, greatest=95, severities=(75.0, 50.0, 30.0, 15.0, 7.0)
    ),
)
def jpeg(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> Pixels:
    """JPEG of a quality in libjpeg's scale (rounded to a whole number), chroma 4:2:0."""
    return _stored(pixels, kind="jpeg", quality=round(strength))


@transform(
    name="downscale",
    family="compression",
    summary="made smaller by averaging and large again by linear interpolation",
    strength=Strength(
        meaning="how many times shorter the sides become",
        unit="1",
        least=1,
        greatest=32,
        severities=(1.5, 2.0, 3.0, 4.0, 8.0),
        zero=1,
    ),
)
def downscale(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> Pixels:
    """Sides divided by the strength, rounded, at least one pixel; then back to the size that it had."""
    height, width = pixels.shape[:2]
    small = (max(1, round(width / strength)), max(1, round(height / strength)))
    return cv2.resize(
        cv2.resize(pixels, small, interpolation=cv2.INTER_AREA),
        (width, height),
        interpolation=cv2.INTER_LINEAR,
    )


@transform(
    name="reencode",
    family="compression",
    summary="stored as JPEG, then as WebP, then as JPEG, as on its way through three services",
)
def reencode(
    pixels: Pixels,
    /,
    *,
    rng: np.random.Generator,
    steps: Sequence[Sequence[str | int]] = (("jpeg", 75), ("webp", 75), ("jpeg", 75)),
) -> Pixels:
    """A chain of formats, each a pair of "jpeg" or "webp" and a quality from 1 to 100."""
    for kind, quality in steps:
        pixels = _stored(pixels, kind=str(kind), quality=int(quality))
    return pixels


def _stored(pixels: Pixels, *, kind: str, quality: int) -> Pixels:
    if kind not in _FORMATS or not 1 <= quality <= 100:
        raise PlanError(f"got the step {kind!r}, {quality}; wanted 'jpeg' or 'webp', and 1 to 100")
    file = io.BytesIO()
    # Pillow brings its own libjpeg and libwebp, so that a version of it is a version of them.
    Image.fromarray(pixels).save(file, format=_FORMATS[kind], quality=quality)
    with Image.open(file) as opened:
        return np.array(opened.convert("RGB"))
