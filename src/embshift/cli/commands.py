"""One function a command: results on stdout, messages on stderr."""

import argparse
from importlib.resources import as_file, files
from pathlib import Path

from rich.console import Console
from rich.table import Table

from embshift.analysis.shifts.table import Summary
from embshift.cli.draw import draw_paper, figures, report, say_if_unfinished
from embshift.cli.show_options import check_show_options
from embshift.cli.sweep import match, sweep
from embshift.cli.terminal import harmless, print_harmless
from embshift.core.errors import UsageError
from embshift.show.run import Run, open_run
from embshift.show.text.summary import clusters_table, format_clusters, format_summary, summary_table

__all__ = [
    "clusters",
    "demo",
    "figures",
    "list_names",
    "match",
    "report",
    "run",
    "summarise",
    "sweep",
    "verify",
]

_TOO_MANY_FAILED, _NOTHING_READABLE = 1, 3
_UNSOUND = 1
_OPTIONS = (
    "encoder",
    "preset",
    "limit",
    "metric_sample",
    "draws",
    "seed",
    "image_size",
    "resize",
    "decode",
    "views",
    "background",
    "max_pixels",
    "max_aspect",
    "batch",
    "threads",
    "workers",
    "worker_memory",
    "timeout",
    "device",
    "precision",
    "runtime",
    "keep_views",
    "max_error_rate",
    "allow_pickle",
)
"""Options of ``embshift run`` that are fields of the plan under the same name."""


def run(parsed: argparse.Namespace) -> int:
    """``embshift run``."""
    from embshift.cli.progress import reporter
    from embshift.measurement.plan.files import load_plan
    from embshift.measurement.plan.plan import make_plan
    from embshift.measurement.session.carry_out import carry_out, default_folder

    base = load_plan(Path(parsed.plan)) if parsed.plan else None
    options = {name: getattr(parsed, name) for name in _OPTIONS}
    sources = parsed.sources or None
    plan = make_plan(
        base=base, transforms=parsed.transform, sources=sources, metrics=parsed.metric, **options
    )
    if not plan.sources:
        raise UsageError("no source given; wanted a folder, a picture, a glob or a text file of paths")
    found = carry_out(
        plan,
        sources=plan.sources,
        out=Path(parsed.out) if parsed.out else default_folder(plan),
        reporter=reporter(quiet=parsed.quiet),
        update=parsed.update,
    )
    return _show(found, max_error_rate=plan.max_error_rate)


def demo(parsed: argparse.Namespace) -> int:
    """``embshift demo``."""
    from embshift.cli.progress import reporter
    from embshift.measurement.plan.plan import make_plan
    from embshift.measurement.session.carry_out import carry_out

    with as_file(files("embshift.images") / "samples") as folder:
        plan = make_plan(sources=[str(folder)], encoder="lite")
        found = carry_out(
            plan, sources=plan.sources, out=Path(parsed.out), reporter=reporter(quiet=parsed.quiet)
        )
    code = _show(found, max_error_rate=plan.max_error_rate)
    if code != _NOTHING_READABLE:
        draw_paper(found)
    return code


def _show(found: Run, *, max_error_rate: float) -> int:
    """The summary and where the run is; returns the exit code."""
    counts, messages = found.info["counts"], Console(stderr=True, highlight=False)
    if counts["failed"] == counts["images"]:
        messages.print(_failures(found), markup=False, soft_wrap=True)
        return _NOTHING_READABLE
    _print_summary(found.summary())
    print(harmless(f"run folder: {found.folder}"))
    if counts["failed"] or counts["views_failed"]:
        messages.print(_failures(found), markup=False, soft_wrap=True)
    views = counts["views_failed"] / counts["views"] if counts["views"] else 0.0
    rate = max(counts["failed"] / counts["images"], views)
    return _TOO_MANY_FAILED if rate > max_error_rate else 0


def _failures(found: Run) -> str:
    counts = found.info["counts"]
    parts = [f"{counts['failed']:,} of {counts['images']:,} pictures could not be used"]
    if counts["views_failed"]:
        parts.append(f"{counts['views_failed']:,} of {counts['views']:,} views failed (embeddings, status)")
    named = [f"  {one['member']}: {one['status']}: {one['error']}" for one in found.info["failures"][:5]]
    return harmless("\n".join(["; ".join(parts), *named]))


def _print(table: Table) -> None:
    """On a terminal as wide as it is; elsewhere as wide as the table, so that nothing is cut."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200, no_color=True)
    print_harmless(console, table)


def _print_summary(summary: Summary) -> None:
    """On a narrow terminal mean and deviation stand one above the other; never is a number cut."""
    console = Console(highlight=False)
    if not console.is_terminal or _natural_width(summary_table(summary)) <= console.width:
        _print(summary_table(summary))
        return
    stacked = summary_table(summary, stacked=True)
    wide = Console(highlight=False, width=max(console.width, _natural_width(stacked)))
    print_harmless(wide, stacked)


def _natural_width(table: Table) -> int:
    """What a table takes where nothing presses it; a console never measures beyond its own width."""
    return Console(width=1000).measure(table).maximum


def summarise(parsed: argparse.Namespace) -> int:
    """``embshift summarise``."""
    check_show_options(parsed)
    found = open_run(parsed.run)
    if parsed.show != "shifts":
        return _show_more(found, parsed)
    summary = found.summary()
    say_if_unfinished(found)
    if parsed.format == "table":
        _print_summary(summary)
    else:
        print(harmless(format_summary(summary, style=parsed.format)))
    return 0


def _show_more(found: Run, parsed: argparse.Namespace) -> int:
    """What ``--show`` asks for beside the shifts."""
    from embshift.cli.measures import shown

    say_if_unfinished(found)
    wanted = shown(found, parsed)
    if isinstance(wanted, Table):
        _print(wanted)
    else:
        print(harmless(wanted))
    return 0


def clusters(parsed: argparse.Namespace) -> int:
    """``embshift clusters``."""
    opened = open_run(parsed.run)
    say_if_unfinished(opened)
    found = opened.clusters(distance=parsed.distance, linkage=parsed.linkage, threshold=parsed.threshold)
    if parsed.format == "table":
        _print(clusters_table(found))
    else:
        print(harmless(format_clusters(found, style=parsed.format)))
    if found.note and not parsed.quiet:
        Console(stderr=True, highlight=False).print(f"note: {found.note}", markup=False, soft_wrap=True)
    return 0


def verify(parsed: argparse.Namespace) -> int:
    """``embshift verify``."""
    from embshift.measurement.verify import verify_run

    verdict = verify_run(parsed.run, repair=parsed.repair, inputs=not parsed.folder_only)
    shown = str(verdict).splitlines()
    print(harmless("\n".join(shown[-1:] if parsed.quiet and verdict.sound else shown)))
    return 0 if verdict.sound else _UNSOUND


def list_names(parsed: argparse.Namespace) -> int:
    """``embshift list``."""
    from embshift.cli import list_names as names

    _print(names.TABLES[parsed.what]())
    return 0
