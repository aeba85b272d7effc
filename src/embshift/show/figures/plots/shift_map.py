"""Shift maps: which patches of a view its shift comes from, over the view."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes

from embshift.analysis.of_explained_maps import ViewMap, read_maps
from embshift.core.errors import FigureError
from embshift.core.types import ORIGINAL, Pixels
from embshift.show.figures import Page, figure
from embshift.show.figures.kept_views import Place, image_height, show_image, show_placeholder
from embshift.show.figures.layout.labels import format_name, text_height, wrap_text
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.signed import SignedScale, add_signed_bar, signed_bar_height
from embshift.show.figures.layout.strips import (
    BETWEEN,
    GAP,
    LEAST,
    add_title,
    add_view_name,
    count_lines,
    split_pages,
    views_top,
)
from embshift.show.figures.layout.style import GREY, SIZES, Look, assign_looks
from embshift.show.figures.material import KeptImage, Material, read_view
from embshift.show.text.numbers import format_number

__all__ = ["shift_map"]

_WIDEST = 1.2
"""Largest width of a column of images in inches."""

_LINE = text_height(1, size=SIZES.small)
_NUMBERS = ("outside view", "not placed")

_Maps = Mapping[tuple[int, str], ViewMap]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strip:
    """A row of views of one image with their maps below; the original is on the left.

    Attributes:
        image: The image.
        names: Transforms of its views, from the left.
        width: Width of an image in inches.
        height: Height of an image in inches.
        lines: Number of lines that the longest name takes.
        first: Whether it is the first strip of its image.
    """

    image: KeptImage
    names: tuple[str, ...]
    width: float
    height: float
    lines: int
    first: bool

    @property
    def body(self) -> float:
        """Height of the strip in inches."""
        return views_top(self.lines) + 2 * self.height + GAP + len(_NUMBERS) * _LINE + 0.03 + BETWEEN


@figure(
    name="shift_map",
    question="Which parts of an image does its shift come from?",
    shows="original and views of some images, each above its map of the shift: what each patch of the view"
    " adds, less what the original added there",
    source="own: explanations",
    more_shift="red",
    needs_metrics=(),
    needs_explanation=True,
    needs="an explanation, made by embshift explain, and images in views/",
)
def shift_map(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render strips of views with their maps, on as many pages as the images take."""
    chosen = _choose_images(material, most=frame.pictures)
    maps = read_maps(material.explanation.tables, [image.row for image in chosen])
    scale = SignedScale.of(
        np.concatenate([one.change.ravel() for one in maps.values()]),
        label="view less original, part of the squared shift (below 0: against it)",
        rooted=True,
    )
    bar = min(2.9, frame.inner - 0.3)
    names = [name for name in material.run.transforms if name in material.explanation.transforms]
    strips = [strip for image in chosen for strip in _cut_strips(image, names, frame)]
    looks = assign_looks(material.run.transforms)
    below = signed_bar_height(scale, width=bar)
    for page in split_pages(strips, high=frame.highest - below):
        top = 0.0
        sheet = open_sheet(
            frame, body=sum(strip.body for strip in page) + below, notes=_write_notes(material)
        )
        canvas = sheet.canvas()
        for strip in page:
            _add_strip(sheet, canvas, strip, top=top)
            for at, name in enumerate(strip.names, start=1):
                place = _place_view(strip, at=at, top=top)
                _add_view(canvas, strip.image, name, maps, place=place, look=looks[name], scale=scale)
            top += strip.body
        add_signed_bar(sheet, 0.15, top, width=bar, scale=scale)
        yield Page(figure=sheet.figure, alt=_write_alt(page, maps))


def _choose_images(material: Material, *, most: int) -> list[KeptImage]:
    """Return images with kept views and maps."""
    mapped = frozenset(material.explanation.tables.read("maps", ["row"])["row"].to_pylist())
    kept = material.choose_images(len(material.run.images()))
    found = [image for image in kept if image.row in mapped][:most]
    if not found:
        raise FigureError(
            f"{material.run.folder} holds maps of the shift of {len(mapped):,} images and views of"
            f" {len(kept):,}, but both of none; explain more images with --images, or measure with a larger"
            " --keep-views"
        )
    return found


def _write_notes(material: Material) -> list[str]:
    return [
        f"encoder {material.encoder} · the original’s part is carried along the transform to its place in the"
        " view",
        "outside view: the original’s part that the transform moved out of it · not placed: share of the"
        " stem, the MLPs and the class token, which have no place",
    ]


def _cut_strips(image: KeptImage, names: Sequence[str], frame: Frame) -> Iterator[_Strip]:
    most = max(1, int(frame.inner / LEAST) - 1)
    columns = math.ceil(len(names) / math.ceil(len(names) / most))
    across = min(frame.inner / (columns + 1), _WIDEST) - GAP
    height = image_height(read_view(image.views[ORIGINAL]), width=across)
    for start in range(0, len(names), columns):
        own = tuple(names[start : start + columns])
        lines = count_lines(own, width=across)
        yield _Strip(image=image, names=own, width=across, height=height, lines=lines, first=start == 0)


def _place_view(strip: _Strip, *, at: int, top: float) -> Place:
    return Place(
        left=at * (strip.width + GAP),
        top=top + views_top(strip.lines),
        width=strip.width,
        height=strip.height,
    )


def _add_strip(sheet: Sheet, canvas: Axes, strip: _Strip, *, top: float) -> None:
    """Add title, names, the original, and the labels of the rows."""
    add_title(sheet, top, row=strip.image.row, name=strip.image.name, continued=not strip.first)
    for at, name in enumerate((ORIGINAL, *strip.names)):
        place = _place_view(strip, at=at, top=top)
        add_view_name(sheet, name, left=place.left, low=place.top, width=place.width)
    place = _place_view(strip, at=0, top=top)
    show_image(canvas, read_view(strip.image.views[ORIGINAL]), place=place)
    low = place.top + 2 * strip.height + GAP
    labels = wrap_text("change by patch", width=strip.width, size=SIZES.small)
    middle = low - strip.height / 2 - len(labels) * _LINE / 2
    for text, upper in [
        *((text, middle + at * _LINE) for at, text in enumerate(labels)),
        *((text, low + 0.03 + at * _LINE) for at, text in enumerate(_NUMBERS)),
    ]:
        sheet.text(strip.width, upper, text, ha="right", size=SIZES.small, color=GREY)


def _add_view(
    canvas: Axes,
    image: KeptImage,
    name: str,
    maps: _Maps,
    *,
    place: Place,
    look: Look,
    scale: SignedScale,
) -> None:
    """Add a view, its map below it, and the two numbers below that."""
    below = replace(place, top=place.top + place.height + GAP)
    found = maps.get((image.row, name))
    if name not in image.views:
        show_placeholder(canvas, "not kept", place=place)
    else:
        show_image(canvas, read_view(image.views[name]), place=place, look=look)
    if name not in image.views or found is None or np.isnan(found.change).any():
        show_placeholder(canvas, "no map" if found is None else "no shift", place=below)
    else:
        show_image(canvas, _overlay(read_view(image.views[name]), found, scale), place=below, look=look)
    numbers = (math.nan,) * 2 if found is None else (found.left_picture, found.not_placed)
    for at, value in enumerate(numbers):
        upper = below.top + below.height + 0.03 + at * _LINE
        text = format_number(value, places=2)
        canvas.text(place.left + place.width / 2, upper, text, ha="center", va="top", size=SIZES.small)


def _overlay(pixels: Pixels, found: ViewMap, scale: SignedScale) -> UInt8[np.ndarray, "height width 3"]:
    """Return the view in pale grey with the colours of its map, the stronger the further from 0."""
    height, width, _ = pixels.shape
    grey = 115 + 0.55 * (pixels @ np.array([0.299, 0.587, 0.114]))
    result = np.repeat(np.full((height, width, 1), 90.0), 3, axis=2)
    top, left = round(found.field.top), round(found.field.left)
    low = min(round(found.field.top + found.field.height), height)
    right = min(round(found.field.left + found.field.width), width)
    rows, columns = found.change.shape
    down = (np.arange(low - top) * rows) // max(low - top, 1)
    across = (np.arange(right - left) * columns) // max(right - left, 1)
    values = found.change[np.ix_(down, across)]
    weight = np.minimum(1.0, 0.25 + np.abs(scale.place(values)))[:, :, None] * 0.85
    shown = (1 - weight) * grey[top:low, left:right, None] + weight * 255 * scale.tint(values)
    result[top:low, left:right] = shown
    return np.clip(np.round(result), 0, 255).astype(np.uint8)


def _write_alt(page: Sequence[_Strip], maps: _Maps) -> str:
    parts = list[str]()
    for row in dict.fromkeys(strip.image.row for strip in page):
        names = [name for strip in page if strip.image.row == row for name in strip.names]
        each = ", ".join(f"{format_name(name)} {_describe(maps.get((row, name)))}" for name in names)
        parts.append(f"image {row}: {each}")
    return (
        "Views, each above the map of its shift: the view’s part less the original’s. Largest change of a"
        " patch and its place, in per cent of the field from the left and from the top; what left the"
        f" picture; what is not placed: {'; '.join(parts)}."
    )


def _describe(found: ViewMap | None) -> str:
    """Format the largest change of a patch with its place, and what has no place."""
    if found is None or np.isnan(found.change).any():
        return "no map" if found is None else "no shift"
    rows, columns = found.change.shape
    row, column = np.unravel_index(int(np.abs(found.change).argmax()), found.change.shape)
    most = format_number(float(found.change[row, column]), places=3)
    place = f"{100 * (column + 0.5) / columns:.0f}/{100 * (row + 0.5) / rows:.0f}"
    numbers = " and ".join(format_number(value, places=2) for value in (found.left_picture, found.not_placed))
    return f"{most} at {place} ({numbers})"
