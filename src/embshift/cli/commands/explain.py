"""``embshift explain``, and the explanation of the demo."""

import argparse
from typing import TYPE_CHECKING, Any

from embshift.cli.options.explain_options import TEXTS, WORST
from embshift.cli.output.formatted import print_formatted
from embshift.cli.output.terminal import print_message, print_table, print_text
from embshift.core.errors import PlanError

if TYPE_CHECKING:
    from embshift.runs.tables import RunTables

__all__ = ["ensure_explained", "explain"]

_NETWORK = ("images", "patch", "patch_images", "seed")
_TEXTS = ("words", "labels", "captions", "prompt", "vectors")


def explain(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift explain``."""
    from embshift.analysis.of_sweeps import is_sweep
    from embshift.runs.tables import open_tables

    run = open_tables(parsed.run)
    show = parsed.show or (WORST if is_sweep(run) else "shares")
    if show == WORST:
        _show_worst_case(run, parsed)
    elif show in TEXTS:
        _show_texts(run, show, parsed)
    else:
        _show_explanation(run, show, parsed)
    return 0


def _show_explanation(run: "RunTables", show: str, parsed: argparse.Namespace) -> None:
    from embshift.analysis.explanation import open_explanation
    from embshift.show.text.explained import explained_table, format_explained

    if parsed.read_only:
        _check_read_only(parsed, _NETWORK + _TEXTS)
    else:
        _measure(run, parsed)
    found = open_explanation(run)
    if parsed.format == "table":
        print_table(explained_table(found, show=show))
    else:
        print_formatted(format_explained(found, show=show, style=parsed.format), parsed)


def _show_texts(run: "RunTables", show: str, parsed: argparse.Namespace) -> None:
    """Print what words, labels or captions say of the run; the network is not run, but for texts."""
    from embshift.analysis.stored_texts import open_stored_texts
    from embshift.show.text.stored_texts import format_texts, texts_table

    if parsed.read_only:
        _check_read_only(parsed, _NETWORK + _TEXTS)
    else:
        _check_text_options(run, show, parsed)
        _store_texts(run, parsed)
    found = open_stored_texts(run)
    if parsed.format == "table":
        print_table(texts_table(found, show=show))
    else:
        print_formatted(format_texts(found, show=show, style=parsed.format), parsed)


def _check_text_options(run: "RunTables", show: str, parsed: argparse.Namespace) -> None:
    """Raise an error before texts are encoded where what is to be shown would still be missing after it."""
    from embshift.analysis.of_words import check_texts

    for name in _NETWORK:
        if getattr(parsed, name) is not None:
            raise PlanError(
                f"--{name.replace('_', '-')} is given, and {show} have no use for it: they are compared on"
                " all images; leave it out, or add --show shares"
            )
    shipped = show == "words" and parsed.vectors is None  # words ship for encoders with a text side
    if getattr(parsed, show) is None and not shipped:
        check_texts(run, show.removesuffix("s"))


def _check_read_only(parsed: argparse.Namespace, names: tuple[str, ...]) -> None:
    """Raise `PlanError` for an option that changes what is measured beside ``--read-only``."""
    for name in names:
        if getattr(parsed, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise PlanError(
                f"{option} is given with --read-only, which measures nothing; leave one of them out"
            )


def _measure(run: "RunTables", parsed: argparse.Namespace) -> None:
    from embshift.cli.output.progress import reporter
    from embshift.measurement.studies.of_run import explain as explain_run

    explain_run(
        run,
        images=parsed.images,
        patch=parsed.patch,
        patch_images=parsed.patch_images,
        seed=parsed.seed,
        **_request_texts(parsed),
        allow_code=parsed.allow_code,
        allow_remote=parsed.allow_remote,
        reporter=reporter(quiet=parsed.quiet),
    )


def _show_worst_case(run: "RunTables", parsed: argparse.Namespace) -> None:
    """Print the worst case of a sweep; the network is not run, but for the texts of labels."""
    from embshift.analysis.of_sweeps import check_sweep
    from embshift.show.run import open_run
    from embshift.show.text.worst_case import describe_prediction, format_worst_case, worst_case_table

    check_sweep(run)
    _check_options(parsed)
    if parsed.read_only:
        _check_read_only(parsed, _TEXTS)
    elif parsed.labels is not None:
        _store_texts(run, parsed)
    found = open_run(run.folder).worst_case(images=parsed.images, seed=parsed.seed or 0)
    if parsed.format == "table":
        print_table(worst_case_table(found))
        return
    print_formatted(format_worst_case(found, style=parsed.format), parsed)
    line = describe_prediction(found)
    if parsed.format != "json" and line:
        print_message(line)


def _check_options(parsed: argparse.Namespace) -> None:
    """Raise `PlanError` for an option that the worst case has no use for."""
    network = {"--patch": parsed.patch, "--patch-images": parsed.patch_images}
    texts = {"--words": parsed.words, "--captions": parsed.captions}
    with_labels = {"--prompt": parsed.prompt, "--vectors": parsed.vectors}
    for name, value in (network | texts).items():
        if value is not None:
            shown = name.removeprefix("--") if name in texts else "shares"
            raise PlanError(
                f"{name} is given, and the worst case of a sweep has no use for it; leave it out, or add"
                f" --show {shown}"
            )
    for name, value in with_labels.items():
        if value is not None and parsed.labels is None:
            raise PlanError(f"{name} is given without --labels; add --labels FILE, or leave it out")


def _store_texts(run: "RunTables", parsed: argparse.Namespace) -> None:
    from embshift.cli.output.progress import reporter
    from embshift.measurement.studies.of_run import store_texts

    store_texts(run, **_request_texts(parsed), reporter=reporter(quiet=parsed.quiet))


def _request_texts(parsed: argparse.Namespace) -> dict[str, Any]:
    return {
        "words": parsed.words,
        "labels": parsed.labels,
        "captions": parsed.captions,
        "prompts": tuple(parsed.prompt or ()),
        "vectors": parsed.vectors,
    }


def ensure_explained(run: "RunTables", *, quiet: bool) -> None:
    """Explain a run with the defaults, unless it is explained already, and print where that is.

    Args:
        run: The run.
        quiet: Whether to print only results and errors.
    """
    from embshift.cli.output.progress import reporter
    from embshift.measurement.studies.explain import explain_run
    from embshift.runs.explained import find_explained, is_complete, read_explained_record

    # An explanation with other options stays, so that the same command goes on working.
    if not (find_explained(run.folder) and is_complete(run.folder, read_explained_record(run.folder))):
        explain_run(run, reporter=reporter(quiet=quiet))
    print_text(f"explanation: {run.folder / 'explain'}")
