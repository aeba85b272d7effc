"""Rendering of a comparison's figures, in memory and into files."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from embshift.analysis.compared.results import Comparison
from embshift.core.threads import limit_threads
from embshift.show.comparison.figures import COMPARISON_FIGURES
from embshift.show.figures import Page
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import use_house_style
from embshift.show.figures.layout.style_sheets import read_style
from embshift.show.figures.render import FULL, check_width, write_pages

__all__ = ["render_comparison", "write_comparison"]


def render_comparison(
    found: Comparison,
    name: str,
    /,
    *,
    width: float = FULL,
    plain: bool = False,
    style: str | Path | None = None,
) -> Iterator[Page]:
    """Render the pages of one figure.

    Args:
        found: The comparison.
        name: "differences" or "encoders".
        width: Inches, from 2.5 to 20; the height follows.
        plain: Leave out title and notes; the alt text stays.
        style: A style that matplotlib knows, or the path of a style sheet, on top of the package's own.

    Raises:
        PlanError: If the width is out of range.
        UnknownNameError: If there is no such figure or style.
        UsageError: If the style sheet cannot be read or parsed.
    """
    entry = COMPARISON_FIGURES[name]
    check_width(width)
    settings = {} if style is None else read_style(style)
    pages = entry.render(found, Frame(title=entry.question, width=width, plain=plain))
    while True:
        with use_house_style(settings), limit_threads(images=found.images):
            page = next(pages, None)
        if page is None:
            return
        page.figure.set_label(page.alt)
        yield page


def write_comparison(
    found: Comparison,
    folder: Path,
    /,
    *,
    formats: Sequence[str] = ("png",),
    width: float = FULL,
    plain: bool = False,
    style: str | Path | None = None,
) -> list[Path]:
    """Write all figures of a comparison; each file appears whole or not at all.

    Args:
        found: The comparison.
        folder: Folder of the files ``<name>.png`` and, for further pages, ``<name>-2.png`` and so on.
        formats: "png", "svg" or "pdf".
        width: Inches.
        plain: Leave out title and notes; the alt text stays.
        style: As for `render_comparison`.

    Returns:
        The paths of the files.

    Raises:
        StorageError: If a file cannot be written.
        UnknownNameError: If there is no such format or style.
        UsageError: If the style sheet cannot be read, or something else than a figure has the name of a file.
    """
    settings = {} if style is None else read_style(style)
    write = partial(write_pages, folder=folder, formats=formats, settings=settings)
    render = partial(render_comparison, found, width=width, plain=plain, style=style)
    return [
        path
        for name, entry in COMPARISON_FIGURES.items()
        for path in write(render(name), name=name, title=entry.question)
    ]
