"""The record of a check: what JSON holds, and everything else is written from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from embshift.analysis.gate.budgets import Undecided
from embshift.analysis.gate.catalogue import Kind, Scope, Verdict
from embshift.core.records import Record, list_fields, to_pandas, write_html

__all__ = ["BROKEN", "FORMAT", "UNDECIDED", "CheckRecord", "Checked"]

FORMAT = "embshift check 1"

BROKEN, UNDECIDED = 1, 5
"""Exit codes; 0 where all budgets hold, or are undecided and ``undecided = "warn"``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A budget held against one transform, or against the panel.

    Attributes:
        budget: Name of the budget.
        source: File that it was read from, or ``--require``.
        line: Line of the budget in it; None for a requirement.
        scope: "transforms" or "panel".
        transform: Name of the transform; None for the panel.
        statistic: What is limited.
        unit: Its unit.
        kind: "at_most", "at_least" or "worse_by_at_most".
        limit: The limit of `value`: of a difference, below 0 where lower is worse.
        value: Mean over images; of a difference, run less baseline.
        run_mean: Mean of the run alone; NaN for the panel.
        baseline_mean: Mean of the baseline; NaN without.
        bound: One-sided bound of the value that must keep to the limit.
        joint_bound: Bound on the other side; beyond the limit it shows a broken budget. Those of all
            budgets hold together.
        n: Number of images with a value.
        images: Number of images.
        grade: "exact" or "prepared"; None without a baseline.
        verdict: "holds", "broken" or "undecided".
        reason: Why it is undecided.
        images_needed: Images that would decide with probability .8, if the value stayed; None if unknown.
    """

    budget: str
    source: str
    line: int | None
    scope: Scope
    transform: str | None
    statistic: str
    unit: str
    kind: Kind
    limit: float
    value: float
    run_mean: float
    baseline_mean: float
    bound: float
    joint_bound: float
    n: int
    images: int
    grade: str | None
    verdict: Verdict
    reason: str
    images_needed: int | None


_FIELDS = tuple(Checked.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
    """What a gate found.

    Attributes:
        run: Path, encoder and fingerprint of the run.
        baseline: Path, digest, encoder and relation of the encoders; None without a baseline.
        budget: Path of the budget file; None where all budgets were requirements.
        level: Coverage of the bounds.
        undecided: What an undecided budget does: "fail" or "warn".
        min_images: Number of images below which nothing was decided.
        null: Whether the run was compared with itself.
        skipped: Number of budgets that say nothing then.
        seed: Seed of the resamples.
        notes: What was paired, and what was not.
        checks: Every budget with every transform that it matches.
        verdict: The worst verdict.
    """

    run: Mapping[str, Any]
    baseline: Mapping[str, Any] | None
    budget: str | None
    level: float
    undecided: Undecided
    min_images: int
    null: bool
    skipped: int
    seed: int
    notes: tuple[str, ...]
    checks: tuple[Checked, ...]
    verdict: Verdict

    @property
    def exit_code(self) -> int:
        """0 if the run passes, 1 if a budget is broken, 5 if one is undecided and that fails."""
        if self.verdict == "broken":
            return BROKEN
        return UNDECIDED if self.verdict == "undecided" and self.undecided == "fail" else 0

    @property
    def passed(self) -> bool:
        """Whether the exit code is 0."""
        return self.exit_code == 0

    def records(self) -> list[Record]:
        """Return one row for each check, with full precision; undefined is NaN."""
        return [list_fields(one, _FIELDS) for one in self.checks]

    def content(self) -> dict[str, Any]:
        """Return everything as JSON holds it; undefined is None."""
        verdicts = [one.verdict for one in self.checks]
        counts = {name: verdicts.count(name) for name in ("holds", "broken", "undecided")}
        return {
            "format": FORMAT,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "counts": counts,
            "run": dict(self.run),
            "baseline": None if self.baseline is None else dict(self.baseline),
            "budget": self.budget,
            "level": self.level,
            "undecided": self.undecided,
            "min_images": self.min_images,
            "null": self.null,
            "skipped": self.skipped,
            "seed": self.seed,
            "notes": list(self.notes),
            "checks": [{name: _define(value) for name, value in record.items()} for record in self.records()],
        }

    to_pandas = to_pandas
    _repr_html_ = write_html


def _define(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
