"""The check of a run against budgets: what is read, what is refused, and the record of verdicts."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from embshift.analysis.gate.baselines import check_finished
from embshift.analysis.gate.budgets import Budget, Gate, read_gate
from embshift.analysis.gate.comparison import BesideBaseline, compare_with
from embshift.analysis.gate.panel import check_panel
from embshift.analysis.gate.record import CheckRecord
from embshift.analysis.gate.requirements import read_requirement
from embshift.analysis.gate.sides import Side, open_side
from embshift.analysis.gate.transforms import check_transforms
from embshift.analysis.gate.verdicts import worst_verdict
from embshift.core.errors import BaselineError, BudgetError
from embshift.core.threads import limit_threads
from embshift.runs.addresses import describe_folder
from embshift.runs.tables import RunTables, open_tables

__all__ = ["check", "list_matches"]

Source = str | os.PathLike[str] | RunTables


def check(
    run: Source,
    budget: "str | os.PathLike[str] | Gate | None" = None,
    /,
    *,
    baseline: Source | None = None,
    require: str | Sequence[str] = (),
    null: bool = False,
) -> CheckRecord:
    """Hold a run against budgets, as ``embshift check`` does.

    Args:
        run: A run folder, or an open run.
        budget: A budget file; None where everything is in `require`.
        baseline: A baseline file or a run folder; None for the one that the budget file names.
        require: Budgets on one line, e.g. "recall_at_1(jpeg_s*) >= 0.98".
        null: Compare the run with itself: budgets on a difference must then hold, and all others are skipped.

    Returns:
        The record; its `exit_code` and `passed` say whether the gate lets the run through.

    Raises:
        BudgetError: If a budget is wrong, or matches nothing.
        BaselineError: If a baseline is needed and missing, damaged or not comparable.
        RunError: If the run cannot be read, is not finished, or does not pair with the baseline.
    """
    opened = run if isinstance(run, RunTables) else open_tables(os.fspath(run))
    check_finished(opened)
    gate = _read(budget, [require] if isinstance(require, str) else require)
    skipped = 0
    if null:
        gate, skipped = _keep_compared(gate)
        baseline = opened
    side = _open_baseline(gate, baseline)
    with limit_threads(images=opened.count_images()):
        return _check(opened, gate, side, null=null, skipped=skipped)


def _read(budget: "str | os.PathLike[str] | Gate | None", require: Sequence[str]) -> Gate:
    given = Gate() if budget is None else budget
    gate = given if isinstance(given, Gate) else read_gate(Path(given))
    gate = replace(gate, budgets=(*gate.budgets, *(read_requirement(text) for text in require)))
    if not gate.budgets:
        raise BudgetError("no budget given; expected a budget file, or a requirement")
    return gate


def _keep_compared(gate: Gate) -> tuple[Gate, int]:
    kept = tuple(one for one in gate.budgets if one.compares)
    if not kept:
        raise BudgetError("no budget is on a difference; comparing a run with itself needs one")
    return replace(gate, budgets=kept), len(gate.budgets) - len(kept)


def _open_baseline(gate: Gate, given: Source | None) -> Side | None:
    """Return the baseline; one that is named must be there, whether it is needed or not."""
    wanted = gate.baseline if given is None else given
    if wanted is not None:
        return open_side(wanted)
    needs = next((one for one in gate.budgets if one.compares), None)
    if needs is not None:
        raise BaselineError(
            f"{needs.place()} compares with a baseline, and none is given; write one with 'embshift baseline"
            " RUN --out FILE' and name it with --baseline, or as baseline under [gate]"
        )
    return None


def _check(run: RunTables, gate: Gate, side: Side | None, *, null: bool, skipped: int) -> CheckRecord:
    matches = list_matches(gate, run.transforms)
    compared = None if side is None else compare_with(side, run, gate, matches)
    digest = str(run.info.get("fingerprint")) if side is None else side.digest
    seed = int.from_bytes(hashlib.sha256(digest.encode()).digest()[:4], "big")
    found = check_transforms(run, gate, matches, compared, seed=seed)
    found |= {} if compared is None else check_panel(gate, compared)
    checks = tuple(one for budget in gate.budgets for one in found[budget])
    return CheckRecord(
        run=_describe(describe_folder(run.folder), run.info["encoder"], run.info.get("fingerprint")),
        baseline=None if compared is None else _describe_baseline(compared),
        budget=gate.path,
        level=gate.level,
        undecided=gate.undecided,
        min_images=gate.min_images,
        null=null,
        skipped=skipped,
        seed=seed,
        notes=() if compared is None else compared.pairing.notes(),
        checks=checks,
        verdict=worst_verdict([one.verdict for one in checks]),
    )


def list_matches(gate: Gate, transforms: Sequence[str]) -> dict[Budget, tuple[str, ...]]:
    """Return the transforms of each budget.

    Raises:
        BudgetError: If a budget names no transform, or a pattern matches none of the run's.
    """
    found = dict[Budget, tuple[str, ...]]()
    for budget in gate.budgets:
        if budget.scope == "transforms" and not budget.transforms:
            raise BudgetError(f"{budget.place()}: no transforms; expected names, or patterns such as '*'")
        for pattern in budget.transforms:
            if not any(fnmatchcase(name, pattern) for name in transforms):
                raise BudgetError(
                    f"{budget.place()}, transforms: '{pattern}' matches no transform of the run; it has"
                    f" {', '.join(transforms)}"
                )
        found[budget] = tuple(
            name for name in transforms if any(fnmatchcase(name, one) for one in budget.transforms)
        )
    return found


def _describe(path: str, encoder: Mapping[str, Any], fingerprint: str | None) -> dict[str, Any]:
    return {
        "path": path,
        "encoder": encoder["name"],
        "encoder_digest": encoder.get("digest"),
        "fingerprint": fingerprint,
    }


def _describe_baseline(compared: BesideBaseline) -> dict[str, Any]:
    side = compared.side
    fields = _describe(side.path, side.panel.encoder, side.digest)
    return fields | {"relation": compared.relation}
