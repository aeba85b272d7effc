"""Colour: pixels of any mode become 8-bit RGB, upright, with transparent ones on the background."""

from typing import cast

import numpy as np
from PIL import Image

from embshift.core.errors import ImageError
from embshift.core.types import Pixels
from embshift.images.orientation import Turn

__all__ = ["BAD_METADATA", "DARK", "to_rgb"]

DARK = "max"
"""Begins the flag of an image with 16 bits of which it uses fewer, e.g. "max4095" for 12."""

_DARK = 2**15 - 1

BAD_METADATA = "bad_metadata"
"""Flag of an image whose pixels are sound and whose metadata are not."""

_SIXTEEN_BIT = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})


def to_rgb(
    image: Image.Image, turn: Turn, /, *, background: tuple[int, int, int], value_range: tuple[int, int]
) -> tuple[Pixels, list[str]]:
    """Return the pixels of a loaded image, upright, and flags of what was converted or noted.

    Args:
        image: The image.
        turn: What brings it upright.
        background: Red, green and blue (0-255) behind transparent pixels.
        value_range: The values (0-65535) of grey pixels with 16 bits that become black and white.

    Raises:
        ImageError: If its pixels have no declared range.
    """
    flags = list[str]()
    if "icc_profile" in image.info:
        flags.append("icc")  # noted and not applied: encoders are trained on pixel values as stored
    if turn.method is not None:
        flags.append("orientation")
    upright = image if turn.method is None else image.transpose(turn.method)
    if upright.mode in _SIXTEEN_BIT:
        upright = _to_eight_bits(upright, value_range, flags)
    if upright.mode == "F":
        message = "floating-point pixels have no defined range; save the image with 8 or 16 bits"
        raise ImageError(message, status="unsupported")
    if upright.has_transparency_data:
        flags.append("alpha")
        upright = _blend_onto(upright, background)
    if upright.mode != "RGB":
        flags.append(upright.mode.lower())
        upright = upright.convert("RGB")
    if not turn.sound:
        flags.append(BAD_METADATA)
    return np.array(upright, dtype=np.uint8), flags


def _to_eight_bits(image: Image.Image, value_range: tuple[int, int], flags: list[str]) -> Image.Image:
    """Divide a range of values into 256 levels: the full range by the high byte.

    Pillow's own conversion clips at 255 and leaves 2 levels of a ramp.
    """
    values = np.asarray(image)
    (low, high), greatest = value_range, int(values.max())
    if values.min() < 0 or greatest > 65535:
        message = "integer pixels outside 0 to 65535 have no defined range; save the image with 8 or 16 bits"
        raise ImageError(message, status="unsupported")
    flags.append("16bit")
    if 0 < greatest <= _DARK < high:
        flags.append(f"{DARK}{greatest}")
    if value_range == (0, 65535):
        grey = (values >> 8).astype(np.uint8)
    else:
        within = np.clip(values, low, high).astype(np.int32) - low
        grey = (within * 256 // (high - low + 1)).astype(np.uint8)
    if "transparency" not in image.info:
        return Image.fromarray(grey)
    # The transparent value is given with all 16 bits, so it must be compared before they are cut.
    opaque = np.where(values == image.info["transparency"], 0, 255).astype(np.uint8)
    return Image.fromarray(np.dstack([grey, opaque]))


def _blend_onto(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    hidden = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(hidden, tuple) and max(cast(tuple[int, ...], hidden)) > 255:
        # Of 16 bits per channel Pillow keeps the high byte, but it keeps all bits of the transparent colour.
        image = image.copy()
        image.info["transparency"] = tuple(value >> 8 for value in cast(tuple[int, ...], hidden))
    layer = image.convert("RGBA")
    ground = Image.new("RGBA", layer.size, (*background, 255))
    return Image.alpha_composite(ground, layer).convert("RGB")
