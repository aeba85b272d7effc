"""Attention grid (S18): an image and its views, each above the encoder's map of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes

from embshift.core.errors import FigureError
from embshift.core.types import ORIGINAL
from embshift.show.figures import Page, figure
from embshift.show.figures.kept_views import Place, image_height, overlay_map, show_image, show_placeholder
from embshift.show.figures.layout.labels import format_name
from embshift.show.figures.layout.panels import Grid, make_grid
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
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
from embshift.show.figures.layout.style import Look, assign_looks
from embshift.show.figures.material import EncoderMap, KeptImage, Material, read_view

__all__ = ["attention_grid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strip:
    """A row of views of one image, with their maps below.

    Attributes:
        image: The image.
        names: Names of its views, from the left.
        width: Width of a view in inches.
        height: Height of a view in inches.
        lines: Number of lines that the longest name takes.
    """

    image: KeptImage
    names: tuple[str, ...]
    width: float
    height: float
    lines: int

    @property
    def body(self) -> float:
        """Height of the strip in inches."""
        return views_top(self.lines) + 2 * self.height + GAP + BETWEEN


@figure(
    name="attention_grid",
    question="How does the attention map change under each transform?",
    shows="original and every view of some images, each above the encoder's map of it",
    source="Fig. 10, 11, 4a",
    needs_metrics=(),
    needs="images in views/ and maps in attention/",
)
def attention_grid(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render strips of views with their maps, on as many pages as the images take."""
    chosen = _choose_images(material, most=frame.pictures)
    maps = material.read_maps([image.row for image in chosen])
    names = (ORIGINAL, *material.run.transforms)
    places = make_grid(len(names), width=frame.inner, least=LEAST, height=1.0)
    strips = [strip for image in chosen for strip in _cut_strips(image, names, places)]
    titled = replace(frame, title=frame.title.replace("attention map", material.map_name))
    source = material.run.info["encoder"]["map_source"]
    notes = [
        f"encoder {material.encoder} · {material.map_name}: {source}",
        "each map stretched to its own range, from dark (least) to light (most); darkened where the encoder"
        " saw nothing",
    ]
    for page in split_pages(strips, high=frame.highest):
        sheet = open_sheet(titled, body=sum(strip.body for strip in page), notes=notes)
        canvas, top = sheet.canvas(), 0.0
        for strip in page:
            _add_strip(sheet, canvas, strip, maps, top=top, known=assign_looks(material.run.transforms))
            top += strip.body
        yield Page(figure=sheet.figure, alt=_write_alt(material, page, maps))


def _choose_images(material: Material, *, most: int) -> list[KeptImage]:
    """Return images with views and maps."""
    mapped = material.find_rows_with_maps()
    if not material.map_name:
        raise FigureError(f"{material.run.folder} holds no maps: encoder {material.encoder} gives none")
    if not mapped:
        raise FigureError(
            f"{material.run.folder} holds no {material.map_name}s; measure with --metric attention_similarity"
        )
    kept = material.choose_images(len(material.run.images()))
    found = [image for image in kept if image.row in mapped][:most]
    if not found:
        raise FigureError(
            f"{material.run.folder} holds {material.map_name}s of {len(mapped):,} images and views of"
            f" {len(kept):,}, but both of none; measure with a larger --metric-sample or --keep-views"
        )
    return found


def _cut_strips(image: KeptImage, names: Sequence[str], places: Grid) -> Iterator[_Strip]:
    across = places.width - GAP
    height = image_height(read_view(image.views[ORIGINAL]), width=across)
    for start in range(0, len(names), places.columns):
        own = tuple(names[start : start + places.columns])
        lines = count_lines(own, width=across)
        yield _Strip(image=image, names=own, width=across, height=height, lines=lines)


_Maps = Mapping[tuple[int, str], EncoderMap]


def _add_strip(
    sheet: Sheet, canvas: Axes, strip: _Strip, maps: _Maps, *, top: float, known: Mapping[str, Look]
) -> None:
    add_title(sheet, top, row=strip.image.row, name=strip.image.name, continued=ORIGINAL not in strip.names)
    upper = top + views_top(strip.lines)
    for at, name in enumerate(strip.names):
        left = at * (strip.width + GAP)
        add_view_name(sheet, name, left=left, low=upper, width=strip.width)
        place = Place(left=left, top=upper, width=strip.width, height=strip.height)
        below = replace(place, top=upper + strip.height + GAP)
        _add_view(canvas, strip.image, name, maps, places=(place, below), look=known.get(name))


def _add_view(
    canvas: Axes,
    image: KeptImage,
    name: str,
    maps: _Maps,
    *,
    places: tuple[Place, Place],
    look: Look | None,
) -> None:
    """Add a view, and its map below it."""
    if name not in image.views:
        show_placeholder(canvas, "not kept", place=places[0])
        show_placeholder(canvas, "–", place=places[1])
        return
    pixels = read_view(image.views[name])
    show_image(canvas, pixels, place=places[0], look=look)
    found = maps.get((image.row, name))
    if found is None or np.isnan(found.shares).any():
        show_placeholder(canvas, "no map" if found is None else "constant", place=places[1])
    else:
        show_image(canvas, overlay_map(pixels, found), place=places[1], look=look)


def _write_alt(material: Material, page: Sequence[_Strip], maps: _Maps) -> str:
    parts = list[str]()
    for row in dict.fromkeys(strip.image.row for strip in page):
        peaks = list[str]()
        for name in (name for strip in page if strip.image.row == row for name in strip.names):
            peaks.append(f"{format_name(name)} {_format_peak(maps.get((row, name)))}")
        parts.append(f"image {row}: {', '.join(peaks)}")
    return (
        f"Views, each above the encoder's {material.map_name} of it. Position of each map's maximum, in per"
        f" cent of the field from the left and from the top: {'; '.join(parts)}."
    )


def _format_peak(found: EncoderMap | None) -> str:
    """Format the position of a map's maximum: per cent from the left / from the top."""
    if found is None or np.isnan(found.shares).any():
        return "no map" if found is None else "constant"
    height, width = found.shares.shape
    row, column = np.unravel_index(int(found.shares.argmax()), found.shares.shape)
    return f"{100 * (column + 0.5) / width:.0f}/{100 * (row + 0.5) / height:.0f}"
