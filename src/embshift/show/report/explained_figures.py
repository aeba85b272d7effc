"""Figures of an explanation for the page, small enough in bytes; those that are registered."""

import base64
import io
import warnings
from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from embshift.core.errors import ShiftError
from embshift.core.progress import OnStep, ignore_step
from embshift.runs.tables import RunTables
from embshift.show.figures import FIGURES
from embshift.show.figures.layout.style import use_house_style
from embshift.show.figures.material import Material
from embshift.show.figures.render import render_pages
from embshift.show.text.words import make_visible

__all__ = ["BYTES", "NAMES", "embed_figures"]

NAMES = ("network_shares", "layer_profile", "shift_map", "word_bars", "label_flips")
"""Figures that belong to an explanation, in the order of the page; those not registered are left out."""

BYTES = 900_000
"""Maximum size of all figures of a page, as text."""

_PAGES = 3
"""Pages of one figure at most."""

_RESOLUTION, _COLOURS = 200, 128


def embed_figures(run: RunTables, *, on_step: OnStep = ignore_step) -> list[dict[str, Any]]:
    """Return figures with title, alt text and ``data:`` address, until the page is full.

    A figure whose data the explanation lacks is left out; the sentences say what is missing.

    Args:
        run: The run.
        on_step: Receives each step as it begins.
    """
    material, left = Material(run=run), BYTES
    found = list[dict[str, Any]]()
    for name in (one for one in NAMES if one in FIGURES):
        on_step(f"figure {name}")
        with warnings.catch_warnings():
            # A name may hold characters that the font lacks: they become boxes, and the tables show them.
            warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
            pages = list(_embed_pages(material, name))
        for one in pages:
            left -= len(one["image"])
            if left < 0:
                return found
            found.append(one)
    return found


def _embed_pages(material: Material, name: str) -> Iterator[dict[str, Any]]:
    try:
        for number, page in enumerate(render_pages(material, name), start=1):
            if number > _PAGES:
                return
            yield {
                "name": name,
                "title": FIGURES[name].question,
                "page": number,
                "alt": make_visible(page.alt),
                "image": _embed(page.figure),
            }
    except ShiftError:
        return


def _embed(figure: Figure) -> str:
    """Return a figure as an image of few colours: flat areas and text need no more, and half the bytes."""
    kept, small = io.BytesIO(), io.BytesIO()
    with use_house_style():
        figure.savefig(kept, format="png", dpi=_RESOLUTION, metadata={"Software": None})
    page = Image.open(kept).convert("RGB")
    few = page.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(small, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(small.getvalue()).decode()}"
