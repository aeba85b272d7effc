"""From a run to figures in memory and in files: one page after the other, the same bytes every time."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from embshift.core.errors import FigureError, PlanError, UnknownNameError
from embshift.core.version import __version__
from embshift.runs.files import write_aside
from embshift.show.figures import FIGURES, Drawing
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import drawn_alike
from embshift.show.figures.material import Material

__all__ = ["COLUMN", "FORMATS", "FULL", "draw", "draw_page", "write_figure"]

COLUMN, FULL = 3.3, 6.9
"""Inches of a column and of a page of two columns."""

FORMATS = ("png", "svg", "pdf")
"""Names for ``--format``."""

_NARROWEST, _WIDEST = 2.5, 20.0


def draw(material: Material, name: str, /, *, width: float = FULL, pictures: int = 4) -> Iterator[Drawing]:
    """The pages of one figure.

    Args:
        material: The run.
        name: A figure of `FIGURES`.
        width: Inches, from 2.5 to 20; the height follows.
        pictures: How many pictures to show, where pictures are shown.

    Raises:
        FigureError: If the run lacks what the figure needs.
        PlanError: If the width or the number of pictures is out of range.
        UnknownNameError: If there is no such figure.
    """
    entry = FIGURES[name]
    if not _NARROWEST <= width <= _WIDEST:
        raise PlanError(
            f"width is {width:g}; wanted {_NARROWEST:g} to {_WIDEST:g} inches, e.g. {COLUMN:g} or {FULL:g}"
        )
    if pictures < 1:
        raise PlanError(f"pictures is {pictures}; wanted 1 or more")
    pages = entry.draw(material, Frame(title=entry.question, width=width, pictures=pictures))
    while True:
        # Settings hold while a page is drawn, and not while whoever asked for it does something else.
        with drawn_alike():
            page = next(pages, None)
        if page is None:
            return
        # An artist's label is what matplotlib has for a name; nothing draws a figure's.
        page.figure.set_label(page.alt)
        yield page


def draw_page(
    material: Material, name: str, /, *, page: int = 1, width: float = FULL, pictures: int = 4
) -> Drawing:
    """One page of a figure.

    Args:
        material: The run.
        name: A figure of `FIGURES`.
        page: Which page, from 1.
        width: Inches.
        pictures: How many pictures to show, where pictures are shown.

    Raises:
        FigureError: If the run lacks what the figure needs, or the figure has no such page.
    """
    seen = 0
    for drawing in draw(material, name, width=width, pictures=pictures):
        seen += 1
        if seen == page:
            return drawing
    raise FigureError(f"page is {page}, and figure '{name}' has {seen}; wanted 1 to {seen}")


def write_figure(
    material: Material,
    name: str,
    /,
    *,
    folder: Path,
    style: str = "png",
    width: float = FULL,
    pictures: int = 4,
) -> list[Path]:
    """Write the pages of one figure; each file appears whole or not at all.

    Pages beyond the last that stand there from before, under the same name, are removed.

    Args:
        material: The run.
        name: A figure of `FIGURES`.
        folder: Where to; ``<name>.<style>``, and ``<name>-2.<style>`` onward for further pages.
        style: A name in `FORMATS`.
        width: Inches.
        pictures: How many pictures to show, where pictures are shown.

    Returns:
        The files.

    Raises:
        FigureError: If the run lacks what the figure needs.
        StorageError: If a file cannot be written.
        UnknownNameError: If there is no such figure or format.
    """
    if style not in FORMATS:
        raise UnknownNameError("format", style, FORMATS)
    written = list[Path]()
    for page, drawing in enumerate(draw(material, name, width=width, pictures=pictures), start=1):
        path = folder / f"{name}{'' if page == 1 else f'-{page}'}.{style}"
        metadata = _metadata(style, title=FIGURES[name].question, alt=drawing.alt)
        save = partial(_save, drawing.figure, style=style, metadata=metadata)
        write_aside(path, save)
        written.append(path)
    _forget_pages(folder, name, style=style, after=len(written))
    return written


def _forget_pages(folder: Path, name: str, *, style: str, after: int) -> None:
    """Remove the further pages of an earlier drawing: they would pass for pages of this one."""
    page = after + 1
    while (stale := folder / f"{name}-{page}.{style}").is_file():
        stale.unlink()
        page += 1


def _save(figure: Figure, path: Path, /, *, style: str, metadata: dict[str, Any]) -> None:
    with drawn_alike():
        figure.savefig(path, format=style, metadata=metadata)


def _metadata(style: str, *, title: str, alt: str) -> dict[str, Any]:
    """Title, words for whoever cannot see it, and no date: the same run gives the same bytes."""
    made = f"embshift {__version__}"
    if style == "png":
        return {"Title": title, "Description": alt, "Software": made}
    if style == "svg":
        return {"Title": title, "Description": alt, "Creator": made, "Date": None}
    return {"Title": title, "Subject": alt, "Creator": made, "Producer": None, "CreationDate": None}
