"""Rendering of figures, in memory and into files: page after page, with the same bytes every time."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from embshift.core.errors import FigureError, NoEmbeddingsError, PlanError, RunError, UnknownNameError
from embshift.core.threads import limit_threads
from embshift.core.version import __version__
from embshift.runs.files import write_aside
from embshift.runs.targets import check_target, is_replaceable
from embshift.show.figures import FIGURES, FigureEntry, Page
from embshift.show.figures.layout.sheets import Frame
from embshift.show.figures.layout.style import use_house_style
from embshift.show.figures.layout.style_sheets import read_style
from embshift.show.figures.material import Material

__all__ = [
    "COLUMN",
    "FORMATS",
    "FULL",
    "check_width",
    "render_page",
    "render_pages",
    "write_figure",
    "write_pages",
]

COLUMN, FULL = 3.3, 6.9
"""Inches of a column, and of a page of two columns."""

FORMATS = ("png", "svg", "pdf")
"""Values of ``--format``."""

_NARROWEST, _WIDEST = 2.5, 20.0


def render_pages(
    material: Material,
    name: str,
    /,
    *,
    width: float = FULL,
    pictures: int = 4,
    plain: bool = False,
    style: str | Path | None = None,
) -> Iterator[Page]:
    """Render the pages of one figure.

    Args:
        material: The run.
        name: A figure of `FIGURES`.
        width: Inches, from 2.5 to 20; the height follows.
        pictures: Number of images to show, in figures that show images.
        plain: Leave out title and notes; the alt text stays.
        style: A style that matplotlib knows, or the path of a style sheet, on top of the package's own.

    Raises:
        FigureError: If the run lacks what the figure needs.
        PlanError: If the width or the number of images is out of range.
        UnknownNameError: If there is no such figure or style.
        UsageError: If the style sheet cannot be read or parsed.
    """
    entry = FIGURES[name]
    check_width(width)
    if pictures < 1:
        raise PlanError(f"pictures is {pictures}; expected 1 or more")
    settings = {} if style is None else read_style(style)
    _check_metrics(material, entry)
    if entry.needs_explanation:
        material.explanation  # noqa: B018 - raises where the run is not explained
    images = material.run.count_images()
    frame = Frame(
        title=entry.question, width=width, pictures=pictures, plain=plain, more_shift=entry.more_shift
    )
    pages = entry.render(material, frame)
    while True:
        # The style holds while a page is rendered, not while the caller does something else with it.
        with _name_damage(entry), use_house_style(settings), limit_threads(images=images):
            page = next(pages, None)
        if page is None:
            return
        if entry.more_shift:
            page = replace(page, alt=f"{page.alt} More shift: {entry.more_shift}.")
        # A figure's label is the only text that matplotlib keeps with it and never draws.
        page.figure.set_label(page.alt)
        yield page


def check_width(width: float) -> None:
    """Raise `PlanError` for a width in inches that no figure fits."""
    if not _NARROWEST <= width <= _WIDEST:
        raise PlanError(
            f"width is {width:g}; expected {_NARROWEST:g} to {_WIDEST:g} inches, e.g. {COLUMN:g} or {FULL:g}"
        )


@contextmanager
def _name_damage(entry: FigureEntry) -> Generator[None]:
    """Turn a damaged explanation, or embeddings not kept, into what figures lack: others do not need them."""
    try:
        yield
    except RunError as error:
        if entry.needs_explanation or isinstance(error, NoEmbeddingsError):
            raise FigureError(str(error)) from error
        raise


def _check_metrics(material: Material, entry: FigureEntry) -> None:
    """Refuse a figure whose metrics the run lacks."""
    for metric in entry.needs_metrics:
        material.select_metric(metric)
    found = [spec.name for spec in material.performance] if entry.needs_performance else []
    if len(found) < entry.needs_performance:
        raise FigureError(
            f"{material.run.folder} holds {len(found)} performance metric{'s' * (len(found) != 1)}"
            f" ({', '.join(found)}), and figure '{entry.name}' needs {entry.needs_performance};"
            " measure more of them with --metric"
        )


def render_page(
    material: Material,
    name: str,
    /,
    *,
    page: int = 1,
    width: float = FULL,
    pictures: int = 4,
    plain: bool = False,
    style: str | Path | None = None,
) -> Page:
    """Render one page of a figure.

    Args:
        material: The run.
        name: A figure of `FIGURES`.
        page: Number of the page, from 1.
        width: Inches.
        pictures: Number of images to show, in figures that show images.
        plain: Leave out title and notes.
        style: A style that matplotlib knows, or the path of a style sheet.

    Raises:
        FigureError: If the run lacks what the figure needs, or the figure has no such page.
    """
    count = 0
    pages = render_pages(material, name, width=width, pictures=pictures, plain=plain, style=style)
    for count, found in enumerate(pages, start=1):
        if count == page:
            return found
    raise FigureError(f"page is {page}, but figure '{name}' has {count}; expected 1 to {count}")


def write_figure(
    material: Material,
    name: str,
    /,
    *,
    folder: Path,
    formats: Sequence[str] = ("png",),
    width: float = FULL,
    pictures: int = 4,
    plain: bool = False,
    style: str | Path | None = None,
) -> list[Path]:
    """Write the pages of one figure in one format or several; each file appears whole or not at all.

    Pages beyond the last that an earlier call left under the same name are removed.

    Args:
        material: The run.
        name: A figure of `FIGURES`.
        folder: Folder of the files ``<name>.png`` and, for further pages, ``<name>-2.png`` and so on.
        formats: Names in `FORMATS`.
        width: Inches.
        pictures: Number of images to show, in figures that show images.
        plain: Leave out title and notes.
        style: A style that matplotlib knows, or the path of a style sheet.

    Returns:
        The paths of the files.

    Raises:
        FigureError: If the run lacks what the figure needs.
        StorageError: If a file cannot be written.
        UnknownNameError: If there is no such figure, format or style.
        UsageError: If a run keeps its results in the folder, something else than a figure has the name of a
            file, or the style sheet cannot be read or parsed.
    """
    settings = {} if style is None else read_style(style)
    pages = render_pages(material, name, width=width, pictures=pictures, plain=plain, style=style)
    title = FIGURES[name].question
    return write_pages(pages, name=name, title=title, folder=folder, formats=formats, settings=settings)


def write_pages(
    pages: Iterator[Page],
    *,
    name: str,
    title: str,
    folder: Path,
    formats: Sequence[str],
    settings: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write the pages of a figure; each file appears whole or not at all.

    Args:
        pages: The pages, which are rendered as they are asked for.
        name: Name of the files.
        title: Title in their metadata.
        folder: Their folder.
        formats: Names in `FORMATS`.
        settings: Settings of matplotlib on top of the package's style.

    Raises:
        StorageError: If a file cannot be written.
        UnknownNameError: If there is no such format.
        UsageError: If a run keeps its results in the folder, or something else than a figure has the name of
            a file.
    """
    for one in formats:
        if one not in FORMATS:
            raise UnknownNameError("format", one, FORMATS)
    kinds = tuple(dict.fromkeys(formats))
    for kind in kinds:
        _page_path(folder, name, 1, kind=kind)  # before anything is rendered
    written, number = list[Path](), 0
    for number, page in enumerate(pages, start=1):
        for kind in kinds:
            path = _page_path(folder, name, number, kind=kind)
            metadata = _make_metadata(kind, title=title, alt=page.alt)
            save = partial(_save_page, page.figure, kind=kind, metadata=metadata, settings=settings or {})
            write_aside(path, save)
            written.append(path)
    for kind in kinds:
        _remove_pages(folder, name, kind=kind, after=number)
    return written


def _page_path(folder: Path, name: str, number: int, *, kind: str) -> Path:
    return check_target(folder / f"{name}{'' if number == 1 else f'-{number}'}.{kind}", kind=kind)


def _remove_pages(folder: Path, name: str, *, kind: str, after: int) -> None:
    """Remove further pages of an earlier, longer figure; they would pass for pages of this one."""
    page = after + 1
    while is_replaceable(stale := folder / f"{name}-{page}.{kind}", kind=kind):
        stale.unlink()
        page += 1


def _save_page(
    figure: Figure, path: Path, /, *, kind: str, metadata: dict[str, Any], settings: Mapping[str, Any]
) -> None:
    with use_house_style(settings):
        figure.savefig(path, format=kind, metadata=metadata)


def _make_metadata(kind: str, *, title: str, alt: str) -> dict[str, Any]:
    """Return title, alt text and program, and no date, so that the same run gives the same bytes."""
    made = f"embshift {__version__}"
    if kind == "png":
        return {"Title": title, "Description": alt, "Software": made}
    if kind == "svg":
        return {"Title": title, "Description": alt, "Creator": made, "Date": None}
    return {"Title": title, "Subject": alt, "Creator": made, "Producer": None, "CreationDate": None}
