"""Figures for the page as images, small enough in bytes."""

import base64
import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from embshift.core.errors import ShiftError
from embshift.core.progress import OnStep, ignore_step
from embshift.runs.tables import RunTables
from embshift.show.figures import FIGURES, Page
from embshift.show.figures.layout.style import use_house_style
from embshift.show.figures.material import Material
from embshift.show.figures.render import render_pages
from embshift.show.text.words import make_visible

__all__ = ["BYTES", "CONTEXT", "CONTEXT_BYTES", "NAMES", "OF_TEXTS", "embed_figures"]

OF_TEXTS = ("word_bars", "label_flips")
"""Figures that belong to stored texts alone."""

NAMES = ("network_shares", "layer_profile", "shift_map", *OF_TEXTS)
"""Figures that belong to an explanation, in the order of the page; those not registered are left out."""

BYTES = 1_400_000
"""Maximum size of all figures of an explanation, as text."""

CONTEXT = ("thresholds",)
"""Figures that stand beside the tables on what shifts mean."""

CONTEXT_BYTES = 300_000
"""Maximum size of these figures, as text."""

_PAGES = 3
"""Pages of one figure at most."""

_RESOLUTION, _QUALITY = 200, 90

_PLAIN = 1 << 15
"""Most colours of a chart, which compresses well without loss; photographs have more."""


def embed_figures(
    run: RunTables, names: Sequence[str] = NAMES, *, limit: int = BYTES, on_step: OnStep = ignore_step
) -> tuple[list[dict[str, Any]], str]:
    """Return figures with title, alt text and ``data:`` address, until the page is full.

    A figure whose data the run lacks is left out; the sentences say what is missing.

    Args:
        run: The run.
        names: Names of the figures; those not registered are left out.
        limit: Maximum size of all of them, as text.
        on_step: Receives each step as it begins.

    Returns:
        The figures, and a note on pages that had no room; empty where all had.
    """
    material, size = Material(run=run), 0
    found, omitted = list[dict[str, Any]](), list[str]()
    with warnings.catch_warnings():
        # A name may hold characters that the font lacks: they become boxes, and the tables show them.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        for name in (one for one in names if one in FIGURES):
            on_step(f"figure {name}")
            for number, page in enumerate(_render(material, name), start=1):
                image = _embed(page.figure) if number <= _PAGES else ""
                if not image or size + len(image) > limit:
                    omitted.append(name)
                    break
                size += len(image)
                found.append(_describe(name, page, number) | {"image": image})
    return found, _note(omitted)


def _note(omitted: Sequence[str]) -> str:
    if not omitted:
        return ""
    names = ", ".join(omitted)
    return f"So that this page stays small, pages are left out of: {names}. embshift figures makes them all."


def _render(material: Material, name: str) -> Iterator[Page]:
    """Yield the pages of a figure that are shown, and one more if there are more."""
    with suppress(ShiftError):
        yield from islice(render_pages(material, name), _PAGES + 1)


def _describe(name: str, page: Page, number: int) -> dict[str, Any]:
    return {"name": name, "title": FIGURES[name].question, "page": number, "alt": make_visible(page.alt)}


def _embed(figure: Figure) -> str:
    """Return a figure as WebP: without loss, unless it holds photographs: they would be large."""
    canvas, kept = FigureCanvasAgg(figure), io.BytesIO()
    figure.set_dpi(_RESOLUTION)
    with use_house_style():
        canvas.draw()
    page = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    plain = page.getcolors(_PLAIN) is not None
    page.save(kept, "WEBP", method=4, **({"lossless": True} if plain else {"quality": _QUALITY}))
    return f"data:image/webp;base64,{base64.b64encode(kept.getvalue()).decode()}"
