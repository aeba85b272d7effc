"""Gallery (S19): one image and all of its views, each with its cosine."""

from collections.abc import Iterator, Mapping, Sequence

from matplotlib.axes import Axes

from embshift.core.types import ORIGINAL
from embshift.show.figures import Page, figure
from embshift.show.figures.kept_views import Place, image_height, show_image, show_placeholder
from embshift.show.figures.layout.labels import format_name, text_height, wrap_text
from embshift.show.figures.layout.panels import Grid, make_grid, split_pages
from embshift.show.figures.layout.sheets import Frame, Sheet, open_sheet
from embshift.show.figures.layout.style import SIZES, assign_looks
from embshift.show.figures.material import KeptImage, Material, read_view
from embshift.show.text.numbers import format_number

__all__ = ["gallery"]

_GAP = 0.1
"""Inches between images."""


@figure(
    name="gallery",
    question="What does each transform do to an image?",
    shows="one image and all of its views, each with its cosine",
    source="Fig. 1",
    more_shift="lower cosine",
    needs_metrics=(),
    needs="images in views/",
)
def gallery(material: Material, frame: Frame, /) -> Iterator[Page]:
    """Render the original first, then the views in the order of the plan."""
    image = material.choose_images(1)[0]
    names = [ORIGINAL, *material.run.transforms]
    places, height = _arrange_views(names, image, width=frame.inner, high=frame.highest)
    cosines = _find_cosines(material, image)
    notes = [
        f"image {image.row} of the listing, {image.name} · encoder {material.encoder}",
        _explain_number(material) if cosines else "",
    ]
    for page in split_pages(names, places):
        sheet = open_sheet(frame, body=places.body(len(page)), notes=[note for note in notes if note])
        canvas = sheet.canvas()
        for at, name in enumerate(page):
            left, top = places.place(at)
            place = Place(left=left, top=top, width=places.width - _GAP, height=height)
            _add_view(canvas, material, image, name=name, place=place)
            _add_name(sheet, name, cosines, place=place)
        yield Page(figure=sheet.figure, alt=_write_alt(image, page, cosines))


def _explain_number(material: Material) -> str:
    draws = int(material.run.info["plan"]["draws"])
    mean = "" if draws == 1 else f", mean over {draws} draws; the images are of the first"
    return f"number: cosine between the embeddings of original and view (1:\u00a0same\u00a0direction){mean}"


def _arrange_views(
    names: Sequence[str], image: KeptImage, *, width: float, high: float
) -> tuple[Grid, float]:
    """Return the places of the images, and their height in inches."""
    across = make_grid(len(names), width=width, least=1.05, height=1.0).width - _GAP
    height = image_height(read_view(image.views[ORIGINAL]), width=across)
    lines = max(len(_wrap_name(name, width=across)) for name in names) + 1
    below = text_height(lines, size=SIZES.label) + 0.12
    places = make_grid(len(names), width=width, least=1.05, height=height + below, high=high)
    return places, height


def _wrap_name(name: str, *, width: float) -> list[str]:
    return wrap_text(format_name(name), width=width, size=SIZES.label, lines=3)


def _find_cosines(material: Material, image: KeptImage) -> dict[str, float]:
    """Return the cosines of one image by transform; empty where the run does not hold them."""
    if "cosine" not in material.values.metrics:
        return {}
    found = material.read_image(image.row, "cosine")
    return dict(zip(material.run.transforms, found.tolist(), strict=True))


def _add_view(canvas: Axes, material: Material, image: KeptImage, *, name: str, place: Place) -> None:
    if name in image.views:
        look = assign_looks(material.run.transforms).get(name)
        show_image(canvas, read_view(image.views[name]), place=place, look=look)
    else:
        show_placeholder(canvas, "not kept", place=place)


def _add_name(sheet: Sheet, name: str, cosines: Mapping[str, float], *, place: Place) -> None:
    """Add a name and its cosine below an image."""
    cosine = [] if name not in cosines else [format_number(cosines[name], places=3)]
    for at, text in enumerate([*_wrap_name(name, width=place.width), *cosine]):
        top = place.top + place.height + 0.04 + at * text_height(1, size=SIZES.label)
        weight = "bold" if name == ORIGINAL else "normal"
        sheet.text(place.left + place.width / 2, top, text, ha="center", weight=weight)


def _write_alt(image: KeptImage, names: Sequence[str], cosines: Mapping[str, float]) -> str:
    each = "; ".join(
        format_name(name) + (f" (cosine {format_number(cosines[name])})" if name in cosines else "")
        for name in names
    )
    return f"Image {image.row}, {image.name}, as it is and after transforms: {each}."
