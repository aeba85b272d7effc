"""Losses from storing an image: JPEG, downscaling, and several formats one after another."""

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
    summary="JPEG compression, with chroma at half the resolution",
    strength=Strength(
        meaning="quality", unit="1", least=1, greatest=95, severities=(75.0, 50.0, 30.0, 15.0, 7.0)
    ),
)
def jpeg(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> Pixels:
    """Compress as JPEG with a quality on libjpeg's scale (rounded to a whole number) and 4:2:0 chroma."""
    return _store(pixels, kind="jpeg", quality=round(strength))


@transform(
    name="downscale",
    family="compression",
    summary="downscaled by averaging and upscaled by linear interpolation",
    strength=Strength(
        meaning="factor by which the sides are divided",
        unit="1",
        least=1,
        greatest=32,
        severities=(1.5, 2.0, 3.0, 4.0, 8.0),
        zero=1,
    ),
)
def downscale(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> Pixels:
    """Divide the sides by the strength (rounded, at least one pixel), and resize to the original size."""
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
    summary="JPEG, then WebP, then JPEG compression, as by three web services in a row",
)
def reencode(
    pixels: Pixels,
    /,
    *,
    rng: np.random.Generator,
    steps: Sequence[Sequence[str | int]] = (("jpeg", 75), ("webp", 75), ("jpeg", 75)),
) -> Pixels:
    """Compress with a chain of formats, each a pair of "jpeg" or "webp" and a quality from 1 to 100."""
    for kind, quality in steps:
        pixels = _store(pixels, kind=str(kind), quality=int(quality))
    return pixels


def _store(pixels: Pixels, *, kind: str, quality: int) -> Pixels:
    if kind not in _FORMATS or not 1 <= quality <= 100:
        raise PlanError(
            f"got the step ({kind!r}, {quality}); expected 'jpeg' or 'webp', and a quality of 1 to 100"
        )
    file = io.BytesIO()
    # Pillow contains its own libjpeg and libwebp, so its version determines theirs.
    Image.fromarray(pixels).save(file, format=_FORMATS[kind], quality=quality)
    with Image.open(file) as opened:
        return np.array(opened.convert("RGB"))
