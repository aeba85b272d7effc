"""What covers a part of a picture: a plain rectangle, words, a sticker."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from embshift.core.types import Pixels, View
from embshift.transforms import Strength, transform

__all__ = ["occlusion", "sticker_overlay", "text_overlay"]

_PHRASES = (
    "WHEN YOU SEE IT",
    "ONE DOES NOT SIMPLY",
    "MONDAY AGAIN",
    "WAIT FOR IT",
    "NOBODY ASKED",
    "BEST DAY EVER",
    "SEND HELP",
    "TRUST ME",
)


@transform(
    name="occlusion",
    family="occlusion",
    summary="a rectangle of one colour over a part of it",
    strength=Strength(
        meaning="share of the picture that is covered",
        unit="1",
        least=0,
        greatest=1,
        severities=(0.03, 0.08, 0.15, 0.3, 0.5),
        zero=0,
    ),
)
def occlusion(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Place, shape and colour drawn; no side of the rectangle is longer than the picture's."""
    across, down, shape = rng.random(3)
    colour = rng.integers(0, 256, 3)
    height, width = pixels.shape[:2]
    # From half to twice as wide as high; what would reach beyond the picture makes the other side longer.
    wide = min(1.0, math.sqrt(strength) * 2 ** (shape - 0.5))
    high = min(1.0, strength / wide)
    wide = strength / high
    top, left = round(down * (1 - high) * height), round(across * (1 - wide) * width)
    bottom, right = top + round(high * height), left + round(wide * width)
    pixels[top:bottom, left:right] = colour
    return View(pixels=pixels, parameters={"box": [left, top, right, bottom], "colour": colour.tolist()})


@transform(
    name="text_overlay",
    family="occlusion",
    summary="a line of white capitals with a dark rim above and one below, as on a meme",
    strength=Strength(
        meaning="height of the letters' line, as a share of the picture's height",
        unit="1",
        least=0,
        greatest=0.5,
        severities=(0.06, 0.1, 0.15, 0.22, 0.32),
        zero=0,
    ),
)
def text_overlay(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Two phrases of eight, drawn; a line that is too long runs out of the picture on both sides."""
    upper, lower = (_PHRASES[at] for at in rng.integers(0, len(_PHRASES), 2))
    height, width = pixels.shape[:2]
    size = strength * height
    if size < 1:
        return View(pixels=pixels, parameters={"applied": False})
    drawn = Image.fromarray(pixels)
    for text, anchor, top in ((upper, "ma", 0.02 * height), (lower, "md", 0.98 * height)):
        ImageDraw.Draw(drawn).text(
            (width / 2, top),
            text,
            font=_font(size),
            fill="white",
            anchor=anchor,
            stroke_width=round(size / 14),
            stroke_fill="black",
        )
    return View(pixels=np.array(drawn), parameters={"above": upper, "below": lower})


@lru_cache(maxsize=64)
def _font(size: float) -> Any:
    # Comes inside Pillow: no file of the machine's, so the same letters everywhere.
    return ImageFont.load_default(size)


@transform(
    name="sticker_overlay",
    family="occlusion",
    summary="a round yellow face over a part of it",
    strength=Strength(
        meaning="width of the sticker, as a share of the shorter side",
        unit="1",
        least=0,
        greatest=1,
        severities=(0.15, 0.25, 0.38, 0.55, 0.8),
        zero=0,
    ),
)
def sticker_overlay(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Its place is drawn; it lies wholly within the picture."""
    across, down = rng.random(2)
    height, width = pixels.shape[:2]
    side = round(strength * min(height, width))
    if side < 1:
        return View(pixels=pixels, parameters={"applied": False})
    left, top = round(across * (width - side)), round(down * (height - side))
    drawn = Image.fromarray(pixels)
    face = _face().resize((side, side), Image.Resampling.LANCZOS)
    drawn.paste(face, (left, top), face.getchannel("A"))
    return View(pixels=np.array(drawn), parameters={"left": left, "top": top, "side": side})


@lru_cache(maxsize=1)
def _face() -> Image.Image:
    """The sticker, 512 pixels wide, see-through around."""
    face = Image.new("RGBA", (512, 512), (255, 205, 60, 0))
    pen = ImageDraw.Draw(face)
    pen.ellipse((6, 6, 505, 505), fill=(255, 205, 60, 255), outline=(150, 95, 0, 255), width=14)
    for left in (150, 300):
        pen.ellipse((left, 150, left + 62, 245), fill=(70, 45, 0, 255))
    pen.chord((130, 230, 382, 430), 0, 180, fill=(120, 30, 20, 255))
    return face
