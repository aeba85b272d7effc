"""``embshift figures`` and ``embshift report``: paths on stdout, messages on stderr."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from embshift.cli.terminal import harmless
from embshift.core.errors import FigureError
from embshift.show.run import Run, open_run

__all__ = ["draw_paper", "figures", "report", "say_if_unfinished"]


def say_if_unfinished(found: Run) -> None:
    """A note on stderr where a run goes on."""
    if not found.finished:
        measured = len(found.images())
        text = f"note: the run is not finished; {measured:,} pictures are measured so far"
        Console(stderr=True, highlight=False).print(text, markup=False, soft_wrap=True)


def figures(parsed: argparse.Namespace) -> int:
    """``embshift figures``."""
    from embshift.show.figures import FIGURES

    found = open_run(parsed.run)
    asked = list(dict.fromkeys(parsed.only or FIGURES))
    known = [FIGURES[name].name for name in asked]  # an unknown name is said before anything is drawn
    say_if_unfinished(found)
    skipped = list[str]()
    folder = Path(parsed.out) if parsed.out else found.folder / "figures"
    options = {"style": parsed.format, "width": parsed.width, "pictures": parsed.pictures}
    for path in _drawn(found, known, folder=folder, skipped=skipped, options=options):
        print(harmless(str(path)))
    return _say_skipped(skipped, wanted=bool(parsed.only) or len(skipped) == len(known), quiet=parsed.quiet)


def _drawn(
    found: Run, names: Iterable[str], *, folder: Path, skipped: list[str], options: dict[str, Any]
) -> Iterator[Path]:
    """The files, each when it is written; what cannot be drawn is added to ``skipped``."""
    from embshift.show.figures.material import Material
    from embshift.show.figures.render import write_figure

    material = Material(run=found)
    for name in names:
        try:
            yield from write_figure(material, name, folder=folder, **options)
        except FigureError as error:
            skipped.append(f"{name}: {error}")


def _say_skipped(skipped: Sequence[str], *, wanted: bool, quiet: bool) -> int:
    """What was not drawn, and why; an error where it was asked for by name, or nothing was drawn at all."""
    if wanted and skipped:
        raise FigureError("; ".join(skipped))
    if not quiet:
        messages = Console(stderr=True, highlight=False)
        for line in skipped:
            messages.print(harmless(f"skipped {line}"), markup=False, soft_wrap=True)
    return 0


def report(parsed: argparse.Namespace) -> int:
    """``embshift report``."""
    found = open_run(parsed.run)
    say_if_unfinished(found)
    print(harmless(str(found.report(parsed.out))))
    return 0


def draw_paper(found: Run) -> None:
    """The paper's figures, as far as the run holds enough for them, and the report: a line each."""
    from embshift.show.figures import FIGURES

    # Figures of this package's own may resample at length: a first look does not wait for them.
    names = [name for name in FIGURES if FIGURES[name].source.startswith(("Fig.", "Sec."))]
    folder = found.folder / "figures"
    options = {"style": "png", "width": 6.9, "pictures": 4}
    files = list(_drawn(found, names, folder=folder, skipped=[], options=options))
    print(harmless(f"figures: {folder} ({len(files)} files)"))
    print(harmless(f"report: {found.report()}"))
