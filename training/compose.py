"""Composition of cluttered images, from which ``lite`` learns where to look.

Every group is one clean image and several cluttered views of it. A view comes with the share of each pixel
that still shows the main image; the attention is trained towards it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from training.sources import PICTURES, Picture

SIDE = 224
VIEWS = 3
FREE_DEVIATION = 14.0
"""Largest standard deviation of a photograph's border, of 255, at which its object counts as isolated."""

Colour = UInt8[np.ndarray, "height width 3"]
Mask = Float32[np.ndarray, "height width"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """One clean image and its cluttered views.

    Attributes:
        clean: The image by itself.
        views: The image in clutter; the first is the clean image with slight changes only.
        shown: Share of each pixel of a view that shows the main image, 0-1.
        whole: Whether `shown` outlines an object; otherwise it is the rectangle of a whole photograph.
        placed: Affine map from the clean image's pixels to the view's.
    """

    clean: Colour
    views: tuple[Colour, ...]
    shown: tuple[Mask, ...]
    whole: bool
    placed: tuple[np.ndarray, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """Images in memory: photographs, and isolated objects with their alpha."""

    photographs: tuple[Colour, ...]
    objects: tuple[UInt8[np.ndarray, "_ _ 4"], ...]


def read_pool(pictures: Sequence[Picture], *, folder: Path = PICTURES) -> Pool:
    photographs, objects = list[Colour](), list[np.ndarray]()
    for picture in pictures:
        pixels = cv2.imread(str(folder / picture.name), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise SystemExit(f"{picture.name} cannot be read; run: python -m training.sources")
        pixels = np.ascontiguousarray(pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]])
        if picture.kind == "drawing":
            objects.append(trimmed(pixels))
            continue
        photographs.append(pixels)
        if (alpha := free_object(pixels)) is not None:
            # Repeated, because they are few and closest to the images of the evaluation.
            objects.extend([trimmed(np.dstack([pixels, alpha]))] * 4)
    return Pool(tuple(photographs), tuple(objects))


def trimmed(cut: UInt8[np.ndarray, "_ _ 4"]) -> UInt8[np.ndarray, "_ _ 4"]:
    """Return the rectangle that the object fills."""
    left, top, width, height = cv2.boundingRect((cut[..., 3] > 127).astype(np.uint8))
    return np.ascontiguousarray(cut[top : top + height, left : left + width])


def free_object(pixels: Colour) -> UInt8[np.ndarray, "height width"] | None:
    """Return the alpha of the object in a photograph with a uniform background; None for any other."""
    rim = max(2, min(pixels.shape[:2]) // 40)
    border = np.concatenate(
        [pixels[:rim].reshape(-1, 3), pixels[-rim:].reshape(-1, 3), pixels[:, :rim].reshape(-1, 3)]
    ).astype(np.float32)
    if border.std(0).max() > FREE_DEVIATION:
        return None
    away = np.abs(pixels.astype(np.float32) - np.median(border, 0)).max(2)
    mask = cv2.morphologyEx((away > 40).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    if not 0.08 < mask.mean() < 0.7:
        return None
    return cv2.GaussianBlur(mask * 255, (3, 3), 0)


def group(pool: Pool, rng: np.random.Generator) -> Group:
    """Compose the next clean image with its views."""
    if rng.random() < 0.45:
        return _of_object(pool, rng)
    return _of_photograph(pool, rng)


def _of_object(pool: Pool, rng: np.random.Generator) -> Group:
    cut = pool.objects[rng.integers(len(pool.objects))]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    plain = np.full((SIDE, SIDE, 3), rng.integers(150, 256, 3), np.uint8)
    size, middle = 0.9 * SIDE, (SIDE / 2, SIDE / 2)
    clean, _, start = _pasted(plain, cut, size=size, centre=middle)
    views, shown, placed = [clean], [_alpha(cut, size=size, centre=middle)], [np.eye(3)]
    while len(views) <= VIEWS:
        size = SIDE * rng.uniform(0.35, 0.95)
        centre = tuple(
            rng.uniform(0.5 - 0.35 * (1 - size / SIDE) - 0.1, 0.6 + 0.35 * (1 - size / SIDE), 2) * SIDE
        )
        backdrop = _background(pool, rng)
        view, mask, where = _pasted(backdrop, cut, size=size, centre=centre)
        views.append(_changed(view, rng))
        shown.append(mask)
        placed.append(where @ np.linalg.inv(start))
    return Group(clean=clean, views=tuple(views), shown=tuple(shown), whole=True, placed=tuple(placed))


def _of_photograph(pool: Pool, rng: np.random.Generator) -> Group:
    clean = _crop(pool.photographs[rng.integers(len(pool.photographs))], rng, least=0.45)
    views, placed = [_changed(clean, rng)], [np.eye(3)]
    shown = [np.ones((SIDE, SIDE), np.float32)]
    while len(views) <= VIEWS:
        view, mask, where = _shrunk(clean, pool, rng) if rng.random() < 0.5 else _covered(clean, pool, rng)
        views.append(_changed(view, rng))
        shown.append(mask)
        placed.append(where)
    return Group(clean=clean, views=tuple(views), shown=tuple(shown), whole=False, placed=tuple(placed))


def _covered(clean: Colour, pool: Pool, rng: np.random.Generator) -> tuple[Colour, Mask, np.ndarray]:
    """Cover up to half of the image with others, mostly from its border inwards."""
    view, shown = clean.copy(), np.ones((SIDE, SIDE), np.float32)
    for _ in range(rng.integers(1, 5)):
        height, width = (int(value) for value in rng.uniform(0.2, 0.5, 2) * SIDE)
        top, left = (int(rng.beta(0.5, 0.5) * (SIDE - length)) for length in (height, width))
        area = shown[top : top + height, left : left + width]
        if shown.sum() - area.sum() < 0.5 * SIDE * SIDE:
            continue
        view[top : top + height, left : left + width] = cv2.resize(_background(pool, rng), (width, height))
        area[:] = 0
    return view, shown, np.eye(3)


def _shrunk(clean: Colour, pool: Pool, rng: np.random.Generator) -> tuple[Colour, Mask, np.ndarray]:
    """Shrink the image and move it towards a corner, in front of another."""
    side = int(SIDE * rng.uniform(0.55, 0.9))
    top, left = (int(rng.beta(0.6, 0.6) * (SIDE - side)) for _ in range(2))
    view, shown = _background(pool, rng), np.zeros((SIDE, SIDE), np.float32)
    view[top : top + side, left : left + side] = cv2.resize(clean, (side, side), interpolation=cv2.INTER_AREA)
    shown[top : top + side, left : left + side] = 1
    scale = side / SIDE
    return view, shown, np.array([[scale, 0, left], [0, scale, top], [0, 0, 1]])


def _background(pool: Pool, rng: np.random.Generator) -> Colour:
    kind = rng.random()
    if kind < 0.75:
        return _crop(pool.photographs[rng.integers(len(pool.photographs))], rng, least=0.05)
    colours = rng.integers(0, 256, (2, 3)).astype(np.float32)
    slope = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    plain = np.broadcast_to(colours[0] * (1 - slope) + colours[1] * slope, (SIDE, SIDE, 3))
    if kind < 0.85:
        plain = plain + rng.normal(0, 30, (SIDE, SIDE, 1))
    return np.clip(
        np.ascontiguousarray(plain if rng.random() < 0.5 else plain.swapaxes(0, 1)), 0, 255
    ).astype(np.uint8)


def _crop(picture: Colour, rng: np.random.Generator, *, least: float) -> Colour:
    height, width = picture.shape[:2]
    area, ratio = height * width * rng.uniform(least, 1), np.exp(rng.uniform(-0.3, 0.3))
    tall, wide = min(height, int(np.sqrt(area / ratio))), min(width, int(np.sqrt(area * ratio)))
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    crop = picture[top : top + tall, left : left + wide]
    crop = crop[:, ::-1] if rng.random() < 0.5 else crop
    shrinks = min(tall, wide) > SIDE
    return cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def _changed(view: Colour, rng: np.random.Generator) -> Colour:
    """Change brightness, colour and grain slightly, so that the object stays recognisable."""
    values = view.astype(np.float32)
    if rng.random() < 0.5:
        values = values * rng.uniform(0.8, 1.2, 3) + rng.uniform(-20, 20)
    if rng.random() < 0.25:
        values = values + rng.normal(0, rng.uniform(3, 20), values.shape)
    if rng.random() < 0.15:
        values = cv2.GaussianBlur(values, (0, 0), rng.uniform(0.5, 1.5))
    return np.clip(values, 0, 255).astype(np.uint8)


def _pasted(
    backdrop: Colour, cut: UInt8[np.ndarray, "_ _ 4"], *, size: float, centre: tuple[float, ...]
) -> tuple[Colour, Mask, np.ndarray]:
    where = _place(cut, size=size, centre=centre)
    laid = cv2.warpAffine(np.ascontiguousarray(cut), where[:2], (SIDE, SIDE), flags=cv2.INTER_AREA)
    alpha = laid[..., 3].astype(np.float32) / 255
    view = backdrop * (1 - alpha[..., None]) + laid[..., :3] * alpha[..., None]
    return view.astype(np.uint8), alpha, where


def _alpha(cut: UInt8[np.ndarray, "_ _ 4"], *, size: float, centre: tuple[float, ...]) -> Mask:
    return _pasted(np.zeros((SIDE, SIDE, 3), np.uint8), cut, size=size, centre=centre)[1]


def _place(cut: UInt8[np.ndarray, "_ _ 4"], *, size: float, centre: tuple[float, ...]) -> np.ndarray:
    height, width = cut.shape[:2]
    scale = size / max(height, width)
    return np.array(
        [
            [scale, 0, centre[0] - scale * width / 2],
            [0, scale, centre[1] - scale * height / 2],
            [0, 0, 1],
        ]
    )
