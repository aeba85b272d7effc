"""``embshift figures`` and ``embshift report``: paths on standard output, messages on standard error."""

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embshift.cli.catalogue.checks import check_names
from embshift.cli.commands.summaries import warn_if_unfinished
from embshift.cli.output.terminal import print_message, print_text
from embshift.core.errors import FigureError
from embshift.runs.places import folder_in

if TYPE_CHECKING:
    from embshift.show.run import Run

__all__ = ["figures", "render_paper", "report"]


def figures(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift figures``."""
    check_names("figures", parsed.only)
    from embshift.show.figures import FIGURES
    from embshift.show.run import open_run

    found = open_run(parsed.run)
    names = list(dict.fromkeys(parsed.only or FIGURES))
    warn_if_unfinished(found)
    skipped = list[str]()
    folder = Path(parsed.out) if parsed.out else folder_in(found.folder, "figures")
    options = {"style": parsed.format, "width": parsed.width, "pictures": parsed.pictures}
    for path in _render(found, names, folder=folder, skipped=skipped, options=options):
        print_text(str(path))
    failed = bool(parsed.only) or len(skipped) == len(names)
    return _report_skipped(skipped, failed=failed, quiet=parsed.quiet)


def report(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift report``."""
    from embshift.show.run import open_run

    found = open_run(parsed.run)
    warn_if_unfinished(found)
    print_text(str(found.report(parsed.out)))
    return 0


def render_paper(found: "Run") -> None:
    """Render the paper's figures, as far as the run holds enough for them, and the report."""
    from embshift.show.figures import FIGURES

    # The package's own figures may resample at length: a first look does not wait for them.
    names = [name for name in FIGURES if FIGURES[name].source.startswith(("Fig.", "Sec."))]
    folder = folder_in(found.folder, "figures")
    options = {"style": "png", "width": 6.9, "pictures": 4}
    files = list(_render(found, names, folder=folder, skipped=[], options=options))
    print_text(f"figures: {folder} ({len(files)} files)")
    print_text(f"report: {found.report()}")


def _render(
    found: "Run", names: Iterable[str], *, folder: Path, skipped: list[str], options: dict[str, Any]
) -> Iterator[Path]:
    """Yield each file when it is written; add what cannot be rendered to ``skipped``."""
    from embshift.show.figures.material import Material
    from embshift.show.figures.render import write_figure

    material = Material(run=found)
    for name in names:
        try:
            yield from write_figure(material, name, folder=folder, **options)
        except FigureError as error:
            skipped.append(f"{name}: {error}")


def _report_skipped(skipped: Sequence[str], *, failed: bool, quiet: bool) -> int:
    """Say what was skipped and why; raise `FigureError` where that is a failure."""
    if failed and skipped:
        raise FigureError("; ".join(skipped))
    if not quiet:
        for line in skipped:
            print_message(f"skipped {line}")
    return 0
