"""S18: originals and views above, the encoder's map over each below."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes

from embshift.core.errors import FigureError
from embshift.core.types import ORIGINAL
from embshift.show.figures import Drawing, figure
from embshift.show.figures.layout.labels import fitted, printable, shown, text_height, wrapped
from embshift.show.figures.layout.panels import Grid, grid
from embshift.show.figures.layout.sheets import HIGHEST, Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import SIZES, Look, looks
from embshift.show.figures.material import EncoderMap, Material, Picture, read_picture
from embshift.show.figures.pictures import Place, overlaid, picture_height, show_nothing, show_picture

__all__ = ["attention_grid"]

_GAP, _BETWEEN = 0.05, 0.1
"""Inches between pictures, and between strips."""

_HEAD = text_height(1, size=SIZES.label) + 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strip:
    """A row of views of one picture, with their maps below.

    Attributes:
        picture: The picture.
        names: Its views, from the left.
        width: Inches of a view.
        height: Inches of a view.
        lines: Lines that the longest name takes.
    """

    picture: Picture
    names: tuple[str, ...]
    width: float
    height: float
    lines: int

    @property
    def body(self) -> float:
        """Inches of the strip."""
        names = text_height(self.lines, size=SIZES.small) + 0.02
        return _HEAD + names + 2 * self.height + _GAP + _BETWEEN


@figure(
    name="attention_grid",
    question="How does the attention map change under each transform?",
    shows="original and every view of some images, the encoder's map over each below it",
    source="Fig. 10, 11, 4a",
    needs="pictures in views/ and maps in attention/",
)
def attention_grid(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """Strips of views with their maps; as many pages as the pictures take."""
    chosen = _chosen(material, most=frame.pictures)
    maps = material.maps([picture.row for picture in chosen])
    names = (ORIGINAL, *material.run.transforms)
    places = grid(len(names), width=frame.inner, least=0.62, height=1.0)
    strips = [strip for picture in chosen for strip in _strips(picture, names, places)]
    titled = Frame(title=frame.title.replace("attention map", material.map_name), width=frame.width)
    source = material.run.info["encoder"]["map_source"]
    notes = [
        f"encoder {material.encoder} · {material.map_name}: {source}",
        "each map stretched to its own range, from dark (least) to light (most); darkened where the encoder"
        " saw nothing",
    ]
    for page in _pages(strips):
        sheet = open_sheet(titled, body=sum(strip.body for strip in page), notes=notes)
        canvas, top = sheet.canvas(), 0.0
        for strip in page:
            _draw(sheet, canvas, strip, maps, top=top, known=looks(material.run.transforms))
            top += strip.body
        yield Drawing(figure=sheet.figure, alt=_alt(material, page, maps))


def _chosen(material: Material, *, most: int) -> list[Picture]:
    """Pictures with views and maps."""
    mapped = material.mapped_rows()
    if not mapped:
        raise FigureError(
            f"{material.run.folder} holds no {material.map_name}s; measure with --metric attention_similarity"
        )
    kept = material.pictures(len(material.run.images()))
    found = [picture for picture in kept if picture.row in mapped][:most]
    if not found:
        raise FigureError(
            f"{material.run.folder} holds {material.map_name}s of {len(mapped):,} images and views of"
            f" {len(kept):,}, and of none both; measure with a larger --metric-sample or --keep-views"
        )
    return found


def _strips(picture: Picture, names: Sequence[str], places: Grid) -> Iterator[_Strip]:
    across = places.width - _GAP
    height = picture_height(read_picture(picture.views[ORIGINAL]), width=across)
    for start in range(0, len(names), places.columns):
        own = tuple(names[start : start + places.columns])
        lines = max(len(_lines(name, width=across)) for name in own)
        yield _Strip(picture=picture, names=own, width=across, height=height, lines=lines)


def _lines(name: str, *, width: float) -> list[str]:
    return wrapped(shown(name), width=width, size=SIZES.small, lines=3)


def _pages(strips: Sequence[_Strip]) -> Iterator[list[_Strip]]:
    """Strips that go together on a page."""
    page, taken = list[_Strip](), 0.0
    for strip in strips:
        if page and taken + strip.body > HIGHEST:
            yield page
            page, taken = [], 0.0
        page.append(strip)
        taken += strip.body
    yield page


Maps = Mapping[tuple[int, str], EncoderMap]


def _draw(
    sheet: Sheet, canvas: Axes, strip: _Strip, maps: Maps, *, top: float, known: Mapping[str, Look]
) -> None:
    more = "" if ORIGINAL in strip.names else ", continued"
    title = printable(f"image {strip.picture.row} · {strip.picture.name}{more}")
    whole = sheet.figure.get_figwidth() - 0.15
    sheet.text(0, top, fitted(title, width=whole, size=SIZES.label, weight="bold"), weight="bold")
    for at, name in enumerate(strip.names):
        left = at * (strip.width + _GAP)
        upper = top + _HEAD + text_height(strip.lines, size=SIZES.small) + 0.02
        _name(sheet, strip, name, middle=left + strip.width / 2, low=upper)
        place = Place(left=left, top=upper, width=strip.width, height=strip.height)
        below = replace(place, top=upper + strip.height + _GAP)
        _show(canvas, strip.picture, name, maps, places=(place, below), look=known.get(name))


def _show(
    canvas: Axes,
    picture: Picture,
    name: str,
    maps: Maps,
    *,
    places: tuple[Place, Place],
    look: Look | None,
) -> None:
    """A view, and its map below it."""
    if name not in picture.views:
        show_nothing(canvas, "not kept", place=places[0])
        show_nothing(canvas, "–", place=places[1])
        return
    pixels = read_picture(picture.views[name])
    show_picture(canvas, pixels, place=places[0], look=look)
    found = maps.get((picture.row, name))
    if found is None or np.isnan(found.shares).any():
        show_nothing(canvas, "no map" if found is None else "constant", place=places[1])
    else:
        show_picture(canvas, overlaid(pixels, found), place=places[1], look=look)


def _name(sheet: Sheet, strip: _Strip, name: str, *, middle: float, low: float) -> None:
    """A name standing on its picture."""
    for line, text in enumerate(reversed(_lines(name, width=strip.width)), start=1):
        top = low - 0.02 - line * text_height(1, size=SIZES.small)
        sheet.text(middle, top, text, ha="center", size=SIZES.small)


def _alt(material: Material, page: Sequence[_Strip], maps: Maps) -> str:
    told = list[str]()
    for picture in dict.fromkeys(strip.picture.row for strip in page):
        peaks = list[str]()
        for name in (name for strip in page if strip.picture.row == picture for name in strip.names):
            found = maps.get((picture, name))
            if found is not None and not np.isnan(found.shares).any():
                peaks.append(f"{shown(name)} {_where(found)}")
        told.append(f"image {picture}: {', '.join(peaks)}")
    return (
        f"Views with the encoder's {material.map_name} over them. Where each is greatest, in per cent of the"
        f" field from the left and from the top: {'; '.join(told)}."
    )


def _where(found: EncoderMap) -> str:
    """Where a map is greatest."""
    height, width = found.shares.shape
    row, column = np.unravel_index(int(found.shares.argmax()), found.shares.shape)
    return f"{100 * (column + 0.5) / width:.0f}/{100 * (row + 0.5) / height:.0f}"
