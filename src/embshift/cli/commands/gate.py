"""``embshift check``, ``embshift budget`` and ``embshift baseline``."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from embshift.cli.output.terminal import print_message, print_table, print_text
from embshift.core.errors import BaselineError, UsageError
from embshift.core.paths import output_file
from embshift.core.store_addresses import is_store_address

if TYPE_CHECKING:
    from embshift.analysis.gate.record import CheckRecord
    from embshift.analysis.gate.sides import Side

__all__ = ["baseline", "budget", "check"]


def check(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift check``."""
    if parsed.budget is None and not parsed.require:
        raise UsageError("no budget given; expected --budget FILE, or --require TEXT")
    if parsed.null and parsed.baseline is not None:
        raise UsageError("--null compares the run with itself; leave --baseline out")
    if parsed.link is not None and parsed.markdown is None:
        raise UsageError("--link belongs to --markdown FILE")
    targets = _check_targets(parsed)
    from embshift.analysis.gate.check import check as hold
    from embshift.show.gate.table import check_table
    from embshift.show.gate.words import headline

    record = hold(
        parsed.run,
        parsed.budget,
        baseline=parsed.baseline,
        require=parsed.require,
        null=parsed.null,
    )
    content = record.content()
    _write(record, targets, link=parsed.link or "")
    if parsed.quiet:
        print_text(headline(content))
    else:
        print_table(check_table(content))
    if record.verdict == "undecided" and record.passed and not parsed.quiet:
        print_message('note: undecided budgets pass, since the file states undecided = "warn"')
    return record.exit_code


def _check_targets(parsed: argparse.Namespace) -> dict[str, Path]:
    """Return the files to be written by format; raise before anything is computed."""
    from embshift.runs.targets import check_target

    found = {
        name: check_target(output_file(getattr(parsed, name)), kind=name)
        for name in ("json", "junit", "markdown", "sarif")
        if getattr(parsed, name) is not None
    }
    if len(set(map(os.path.abspath, found.values()))) < len(found):
        raise UsageError("two outputs have the same path; give each its own")
    if "sarif" in found and parsed.require:
        raise UsageError(
            "--sarif locates every result in the budget file, and a requirement stands in none; write it into"
            " the file, or leave --sarif out"
        )
    return found


def _write(record: "CheckRecord", targets: dict[str, Path], *, link: str) -> None:
    from embshift.runs.files import write_text
    from embshift.show.gate.junit import write_junit
    from embshift.show.gate.markdown import write_markdown
    from embshift.show.gate.sarif import write_sarif
    from embshift.show.text.numbers import write_json

    content = record.content()
    writers: dict[str, Callable[[], str]] = {
        "json": lambda: write_json(content) + "\n",
        "junit": lambda: write_junit(content),
        "markdown": lambda: write_markdown(content, link=link),
        "sarif": lambda: write_sarif(content),
    }
    for name, path in targets.items():
        write_text(path, writers[name]())


def budget(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift budget``."""
    if parsed.margin is not None and parsed.baseline is None:
        raise UsageError("--margin belongs to --baseline FILE|RUN")
    from embshift.runs.targets import check_target

    path = output_file(parsed.out)
    if path.exists() and not parsed.replace:
        raise UsageError(f"{path} exists; give --replace to write it again, or another --out")
    check_target(path, kind="budget")
    from embshift.analysis.gate.power import POWER
    from embshift.analysis.gate.sides import open_side
    from embshift.analysis.gate.suggestions import SLACK, STATISTICS, suggest_differences, suggest_limits
    from embshift.analysis.sampling.bootstrap import LEVEL
    from embshift.runs.files import write_text
    from embshift.runs.tables import open_tables
    from embshift.show.gate.budget_file import note_short, write_budget

    run = open_tables(parsed.run)
    side = None if parsed.baseline is None else open_side(parsed.baseline)
    statistics = tuple(dict.fromkeys(parsed.statistic or STATISTICS))
    limits = suggest_limits(run, statistics=statistics, slack=SLACK if parsed.slack is None else parsed.slack)
    margin = {} if parsed.margin is None else {"margin": parsed.margin}
    differences = [] if side is None else suggest_differences(run, side, **margin)
    named = None if side is None else _relative(side, path)
    write_text(path, write_budget(limits, differences, baseline=named, level=LEVEL, power=POWER))
    print_text(f"budget file: {path}")
    for line in note_short([*limits, *differences], power=POWER):
        print_message(f"note: {line}")
    return 0


def _relative(side: "Side", path: Path) -> str:
    """Return the baseline's path as the budget file names it: from its own folder; addresses stay."""
    if is_store_address(side.path):
        return side.path
    return os.path.relpath(side.path, path.parent).replace(os.sep, "/")


def baseline(parsed: argparse.Namespace) -> int:
    """Carry out ``embshift baseline``."""
    from embshift.runs.targets import check_place

    path = output_file(parsed.out)
    check_place(path)
    from embshift.analysis.gate.baselines import make_table, parse_table, read_baseline, write_table
    from embshift.analysis.gate.changes import list_changes
    from embshift.runs.tables import open_tables

    old = read_baseline(path) if path.exists() else None
    table = make_table(open_tables(parsed.run), with_embeddings=parsed.with_embeddings)
    if old is not None:
        changes = list_changes(old, parse_table(table, path=path, digest=""))
        if not changes:
            print_text(f"{path} holds this already")
            return 0
        print_text("\n".join(changes))
        if not parsed.replace:
            raise BaselineError(f"{path} exists and would change as listed; give --replace to replace it")
    write_table(table, path)
    print_text(f"baseline: {path}, {path.stat().st_size:,} bytes")
    return 0
