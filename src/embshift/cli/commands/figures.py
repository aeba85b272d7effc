"""``embshift figures`` and ``embshift report``: paths on standard output, messages on standard error."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embshift.cli.catalogue.checks import check_names
from embshift.cli.commands.summaries import warn_if_unfinished
from embshift.cli.output.steps import Steps
from embshift.cli.output.terminal import print_message, print_text
from embshift.core.errors import FigureError
from embshift.core.paths import output_path
from embshift.runs.addresses import is_mirror, result_path

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
    folder = _own_folder(found) if parsed.out is None else output_path(parsed.out)
    options = {
        "formats": parsed.format or ("png",),
        "width": parsed.width,
        "pictures": parsed.pictures,
        "plain": parsed.plain,
        "style": parsed.style,
    }
    steps = Steps("figures", quiet=parsed.quiet)
    for path in _render(found, names, folder=folder, skipped=skipped, options=options, steps=steps):
        print_text(str(path))
    failed = bool(parsed.only) or len(skipped) == len(names)
    return _report_skipped(skipped, failed=failed, quiet=parsed.quiet)


def report(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift report``."""
    from embshift.show.run import open_run

    found = open_run(parsed.run)
    warn_if_unfinished(found)
    print_text(str(_write_report(found, parsed.out, quiet=parsed.quiet)))
    return 0


def _write_report(found: "Run", out: str | None = None, *, quiet: bool) -> Path:
    from embshift.show.report.page import write_report

    steps = Steps("report", quiet=quiet)
    try:
        return write_report(found, out, on_step=steps)
    finally:
        steps.clear()


def render_paper(found: "Run", *, quiet: bool = False) -> None:
    """Render the paper's figures, as far as the run holds enough for them, and the report."""
    from embshift.show.figures import FIGURES

    # The package's own figures may resample at length: a first look does not wait for them.
    names = [name for name in FIGURES if FIGURES[name].source.startswith(("Fig.", "Sec."))]
    folder = _own_folder(found)
    options = {"formats": ("png",), "width": 6.9, "pictures": 4}
    steps = Steps("figures", quiet=quiet)
    files = list(_render(found, names, folder=folder, skipped=[], options=options, steps=steps))
    print_text(f"figures: {folder} ({len(files)} files)")
    print_text(f"report: {_write_report(found, quiet=quiet)}")


def _own_folder(found: "Run") -> Path:
    """Return the folder of figures where none is named."""
    from embshift.runs.places import folder_in

    if is_mirror(found.folder):
        return result_path(found.folder, "figures")
    return folder_in(found.folder, "figures")


def _render(
    found: "Run",
    names: Sequence[str],
    *,
    folder: Path,
    skipped: list[str],
    options: dict[str, Any],
    steps: Steps,
) -> Iterator[Path]:
    """Yield each file when it is written; add what cannot be rendered to ``skipped``."""
    from embshift.show.figures.material import Material
    from embshift.show.figures.render import write_figure

    material = Material(run=found)
    for at, name in enumerate(names, start=1):
        steps(f"{name}, {at} of {len(names)}")
        files = list[Path]()
        try:
            files = write_figure(material, name, folder=folder, **options)
        except FigureError as error:
            skipped.append(f"{name}: {error}")
        finally:
            steps.clear()
        yield from files


def _report_skipped(skipped: Sequence[str], *, failed: bool, quiet: bool) -> int:
    """Say what was skipped and why; raise `FigureError` where that is a failure."""
    if failed and skipped:
        raise FigureError("; ".join(skipped))
    if not quiet:
        for line in skipped:
            print_message(f"skipped {line}")
    return 0
