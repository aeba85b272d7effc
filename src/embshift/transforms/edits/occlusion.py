"""Occlusion of a part of an image by a rectangle, text or a sticker."""

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
    summary="a rectangle of one colour over a part of the image",
    strength=Strength(
        meaning="share of the image that is covered",
        unit="1",
        least=0,
        greatest=1,
        severities=(0.03, 0.08, 0.15, 0.3, 0.5),
        zero=0,
    ),
)
def occlusion(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Cover a rectangle whose place, shape and colour are drawn; no side is longer than the image's."""
    across, down, shape = rng.random(3)
    colour = rng.integers(0, 256, 3)
    height, width = pixels.shape[:2]
    # From half to twice as wide as high. A side that would exceed the image is cut, and the other one grows.
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
    summary="two lines of outlined white capitals, at the top and the bottom, as on a meme",
    strength=Strength(
        meaning="height of a text line, as a share of the image's height",
        unit="1",
        least=0,
        greatest=0.5,
        severities=(0.06, 0.1, 0.15, 0.22, 0.32),
        zero=0,
    ),
)
def text_overlay(pixels: Pixels, /, *, rng: np.random.Generator, strength: float) -> View:
    """Write two phrases, drawn from eight; a line that is too long exceeds the image on both sides."""
    upper, lower = (_PHRASES[at] for at in rng.integers(0, len(_PHRASES), 2))
    height, width = pixels.shape[:2]
    size = strength * height
    if size < 1:
        return View(pixels=pixels, parameters={"applied": False})
    canvas = Image.fromarray(pixels)
    for text, anchor, top in ((upper, "ma", 0.02 * height), (lower, "md", 0.98 * height)):
        ImageDraw.Draw(canvas).text(
            (width / 2, top),
            text,
            font=_load_font(size),
            fill="white",
            anchor=anchor,
            stroke_width=round(size / 14),
            stroke_fill="black",
        )
    return View(pixels=np.array(canvas), parameters={"above": upper, "below": lower})


@lru_cache(maxsize=64)
def _load_font(size: float) -> Any:
    # The font is part of Pillow and not of the machine, so letters are the same everywhere.
    return ImageFont.load_default(size)


@transform(
    name="sticker_overlay",
    family="occlusion",
    summary="a round yellow face over a part of the image",
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
    """Paste a sticker at a drawn place; it lies wholly within the image."""
    across, down = rng.random(2)
    height, width = pixels.shape[:2]
    side = round(strength * min(height, width))
    if side < 1:
        return View(pixels=pixels, parameters={"applied": False})
    left, top = round(across * (width - side)), round(down * (height - side))
    canvas = Image.fromarray(pixels)
    face = _make_sticker().resize((side, side), Image.Resampling.LANCZOS)
    canvas.paste(face, (left, top), face.getchannel("A"))
    return View(pixels=np.array(canvas), parameters={"left": left, "top": top, "side": side})


@lru_cache(maxsize=1)
def _make_sticker() -> Image.Image:
    """Return the sticker, 512 pixels wide, transparent around the face."""
    face = Image.new("RGBA", (512, 512), (255, 205, 60, 0))
    pen = ImageDraw.Draw(face)
    pen.ellipse((6, 6, 505, 505), fill=(255, 205, 60, 255), outline=(150, 95, 0, 255), width=14)
    for left in (150, 300):
        pen.ellipse((left, 150, left + 62, 245), fill=(70, 45, 0, 255))
    pen.chord((130, 230, 382, 430), 0, 180, fill=(120, 30, 20, 255))
    return face
