"""``embshift views`` and ``embshift ingest``."""

import argparse
from typing import Any

from embshift.cli.catalogue.checks import check_names, check_preset, is_bundled
from embshift.cli.commands.measure import NOTHING_READABLE, finish
from embshift.cli.options.plan_options import plan_options
from embshift.cli.output.terminal import print_message, print_text
from embshift.core.errors import UsageError
from embshift.core.words import count_noun

__all__ = ["ingest", "views"]


def views(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift views``."""
    if not parsed.sources and parsed.plan is None:
        raise UsageError(
            "no source given; expected a folder, an image, a glob, a list of paths, .tar or .parquet"
        )
    check_preset(parsed.preset)
    if parsed.plan is None and is_bundled(parsed.preset):
        check_names("transforms", parsed.transforms)
    from embshift.cli.output.progress import reporter
    from embshift.measurement.exchange.writing import write_views

    options = plan_options(parsed)
    sources, told = _choose_sources(parsed, options), reporter(quiet=parsed.quiet)
    options |= {"plan": parsed.plan, "allow_code": parsed.allow_code, "allow_remote": parsed.allow_remote}
    written = write_views(sources, out=parsed.out, reporter=told, **options)
    print_text(
        f"{count_noun(written.views, 'view')} of {count_noun(written.images, 'image')}: {written.path}"
    )
    if written.failed or written.views_failed:
        images = f"{written.failed:,} of {written.images:,} images could not be used"
        print_message(f"{images}; {written.views_failed:,} views failed")
    return NOTHING_READABLE if written.failed == written.images else 0


def _choose_sources(parsed: argparse.Namespace, options: dict[str, Any]) -> list[str]:
    """Return the sources that are given, or those of the plan file; they are no option any more."""
    del options["sources"]
    if parsed.sources:
        return list(parsed.sources)
    from embshift.measurement.plan.files import load_plan

    return list(load_plan(parsed.plan, build=False).sources)


def ingest(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift ingest``."""
    check_names("metrics", parsed.metrics)
    from embshift.cli.output.progress import reporter
    from embshift.measurement.exchange.ingest import ingest as ingest_embeddings

    # `views` is a field of the plan, too, but here it names the file.
    options = {name: value for name, value in plan_options(parsed).items() if name != "views"}
    found = ingest_embeddings(
        parsed.views,
        embeddings=parsed.embeddings,
        out=parsed.out,
        reporter=reporter(quiet=parsed.quiet),
        **options,
    )
    return finish(found, max_error_rate=found.info["plan"]["max_error_rate"])
