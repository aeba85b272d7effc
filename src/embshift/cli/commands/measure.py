"""``embshift run`` and ``embshift demo``."""

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from embshift.cli.catalogue.checks import check_encoder, check_names, check_preset, is_bundled
from embshift.cli.options.engine_options import ray_options
from embshift.cli.options.plan_options import plan_options
from embshift.cli.output.terminal import print_message, print_text
from embshift.core.errors import UsageError
from embshift.core.words import show_name
from embshift.measurement.cluster.choice import choose_engine
from embshift.measurement.plan.plan import Plan, make_plan
from embshift.runs.addresses import output_run

if TYPE_CHECKING:
    from embshift.measurement.session.work import Engine
    from embshift.show.run import Run

__all__ = ["NOTHING_READABLE", "demo", "finish", "run"]

NOTHING_READABLE = 3
"""Exit code where no image could be used."""

_TOO_MANY_FAILED = 1


def run(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift run``."""
    _check_names(parsed)
    plan = make_plan(base=_base(parsed), **plan_options(parsed))
    if not plan.sources:
        raise _no_source()
    out = None if parsed.out is None else output_run(parsed.out)
    engine = choose_engine(parsed.engine, ray_options(parsed), plan=plan)
    if engine is not None and parsed.prepare:
        raise UsageError("--prepare measures nothing, and so takes no --engine ray")
    found = _carry_out(
        plan, out, quiet=parsed.quiet, update=parsed.update, prepare=parsed.prepare, engine=engine
    )
    if found.info["state"] != "finished":
        asked = _name_trust(found, private=parsed.allow_private)
        print_text(
            f"prepared: {found.folder}; measure it with: embshift work {found.folder} --part 0/1{asked}"
        )
        return 0
    return finish(found, max_error_rate=plan.max_error_rate)


def _name_trust(found: "Run", *, private: bool) -> str:
    """Return the options without which a run's parts would not read images on other machines."""
    from embshift.measurement.session.trust import find_remote_image  # imports pyarrow, with the listing
    from embshift.runs.listing import Listing

    with closing(Listing(found.folder / "listing.parquet")) as rows:
        if find_remote_image(rows) is None:
            return ""
    return " --allow-remote --allow-private" if private else " --allow-remote"


def demo(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift demo``."""
    from importlib.resources import as_file, files

    from embshift.cli.commands.explain import ensure_explained
    from embshift.cli.commands.figures import render_paper

    with as_file(files("embshift.images") / "samples") as folder:
        plan = make_plan(sources=[str(folder)], encoder="lite")
        found = _carry_out(plan, output_run(parsed.out), quiet=parsed.quiet)
    code = finish(found, max_error_rate=plan.max_error_rate)
    if code != NOTHING_READABLE:
        ensure_explained(found, quiet=parsed.quiet)
        render_paper(found, quiet=parsed.quiet)
    return code


def _check_names(parsed: argparse.Namespace) -> None:
    """Raise for unknown names at once, before anything is imported that takes seconds."""
    if not parsed.sources and parsed.plan is None:
        raise _no_source()
    check_preset(parsed.preset)
    check_names("metrics", parsed.metrics)
    check_encoder(parsed.encoder)
    if parsed.plan is None and is_bundled(parsed.preset):  # other transforms are known only when it is read
        check_names("transforms", parsed.transforms)


def _no_source() -> UsageError:
    return UsageError(
        "no source given; expected a folder, an image, a glob, a list of paths, .tar or .parquet"
    )


def _base(parsed: argparse.Namespace) -> Plan | None:
    if parsed.plan is None:
        return None
    from embshift.measurement.session.trust import Trust, load_trusted_plan

    return load_trusted_plan(parsed.plan, Trust(code=parsed.allow_code, remote=parsed.allow_remote))


def _carry_out(
    plan: Plan,
    out: Path | None,
    *,
    quiet: bool,
    update: bool = False,
    prepare: bool = False,
    engine: "Engine | None" = None,
) -> "Run":
    from embshift.cli.output.progress import reporter
    from embshift.measurement.session.carry_out import carry_out, default_folder

    return carry_out(
        plan,
        sources=plan.sources,
        out=out or default_folder(plan),
        reporter=reporter(quiet=quiet),
        update=update,
        prepare=prepare,
        engine=engine,
    )


def finish(found: "Run", *, max_error_rate: float) -> int:
    """Print the summary, the run folder and what failed; return the exit code."""
    from embshift.cli.commands.summaries import print_summary

    counts = found.info["counts"]
    if counts["failed"] == counts["images"]:
        print_message(_failures(found))
        return NOTHING_READABLE
    print_summary(found.summary())
    print_text(f"run folder: {found.folder}")
    if counts["failed"] or counts["views_failed"]:
        print_message(_failures(found))
    views = counts["views_failed"] / counts["views"] if counts["views"] else 0.0
    rate = max(counts["failed"] / counts["images"], views)
    return _TOO_MANY_FAILED if rate > max_error_rate else 0


def _failures(found: "Run") -> str:
    counts = found.info["counts"]
    parts = [f"{counts['failed']:,} of {counts['images']:,} images could not be used"]
    if counts["views_failed"]:
        parts.append(
            f"{counts['views_failed']:,} of {counts['views']:,} views failed (column status of embeddings)"
        )
    named = [
        f"  {show_name(one['member'])}: {one['status']}: {one['error']}" for one in found.info["failures"][:5]
    ]
    return "\n".join(["; ".join(parts), *named])
