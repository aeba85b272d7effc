"""S19: one image and all of its views, each with its cosine."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from embshift.core.types import ORIGINAL
from embshift.show.figures import Drawing, figure
from embshift.show.figures.layout.labels import shown, text_height, wrapped
from embshift.show.figures.layout.panels import Grid, by_page, grid
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import SIZES, looks
from embshift.show.figures.material import Material, Picture, read_picture
from embshift.show.figures.pictures import Place, picture_height, show_nothing, show_picture
from embshift.show.text.numbers import format_number

__all__ = ["gallery"]

_GAP = 0.1
"""Inches between pictures."""


@figure(
    name="gallery",
    question="What does each transform do to a picture?",
    shows="one image and all of its views, each with its cosine",
    source="Fig. 1",
    needs="pictures in views/",
)
def gallery(material: Material, frame: Frame, /) -> Iterator[Drawing]:
    """The original first, then the views in the order of the plan."""
    picture = material.pictures(1)[0]
    names = [ORIGINAL, *material.run.transforms]
    places, height = _places(names, picture, width=frame.inner)
    cosines = _cosines(material, picture)
    notes = [
        f"image {picture.row} of the listing, {picture.name} · encoder {material.encoder}",
        _told(material) if cosines else "",
    ]
    for page in by_page(names, places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=[note for note in notes if note])
        canvas = sheet.canvas()
        for at, name in enumerate(page):
            left, top = places.place(at)
            place = Place(left=left, top=top, width=places.width - _GAP, height=height)
            _show(canvas, material, picture, name=name, place=place)
            _name(sheet, name, cosines, place=place)
        yield Drawing(figure=sheet.figure, alt=_alt(picture, page, cosines))


def _told(material: Material) -> str:
    draws = int(material.run.info["plan"]["draws"])
    mean = "" if draws == 1 else f", mean over {draws} draws; the pictures are the first"
    return f"number: cosine between the embeddings of original and view (1:\u00a0same\u00a0direction){mean}"


def _places(names: Sequence[str], picture: Picture, *, width: float) -> tuple[Grid, float]:
    """Where pictures stand, and how high they are."""
    across = grid(len(names), width=width, least=1.05, height=1.0).width - _GAP
    height = picture_height(read_picture(picture.views[ORIGINAL]), width=across)
    lines = max(len(_lines(name, width=across)) for name in names) + 1
    below = text_height(lines, size=SIZES.label) + 0.12
    return grid(len(names), width=width, least=1.05, height=height + below), height


def _lines(name: str, *, width: float) -> list[str]:
    return wrapped(shown(name), width=width, size=SIZES.label, lines=3)


def _cosines(material: Material, picture: Picture) -> dict[str, float]:
    """The cosines of one image by transform; empty where the run holds none."""
    if "cosine" not in material.values.metrics:
        return {}
    row = int(np.flatnonzero(material.values.rows == picture.row)[0])
    return dict(zip(material.run.transforms, material.column("cosine")[row].tolist(), strict=True))


def _show(canvas: Axes, material: Material, picture: Picture, *, name: str, place: Place) -> None:
    if name in picture.views:
        look = looks(material.run.transforms).get(name)
        show_picture(canvas, read_picture(picture.views[name]), place=place, look=look)
    else:
        show_nothing(canvas, "not kept", place=place)


def _name(sheet: Sheet, name: str, cosines: Mapping[str, float], *, place: Place) -> None:
    """A name and its cosine below a picture."""
    told = [] if name not in cosines else [format_number(cosines[name], places=3)]
    for at, text in enumerate([*_lines(name, width=place.width), *told]):
        top = place.top + place.height + 0.04 + at * text_height(1, size=SIZES.label)
        weight = "bold" if name == ORIGINAL else "normal"
        sheet.text(place.left + place.width / 2, top, text, ha="center", weight=weight)


def _alt(picture: Picture, names: Sequence[str], cosines: Mapping[str, float]) -> str:
    told = "; ".join(
        shown(name) + (f" (cosine {format_number(cosines[name])})" if name in cosines else "")
        for name in names
    )
    return f"Image {picture.row}, {picture.name}, as it is and after transforms: {told}."
