"""Budgets of the panel: the originals' embeddings beside those of the baseline."""

import math

from embshift.analysis.gate.budgets import Budget, Gate
from embshift.analysis.gate.catalogue import find_measure
from embshift.analysis.gate.comparison import BesideBaseline
from embshift.analysis.gate.record import Checked
from embshift.analysis.gate.verdicts import judge_value

__all__ = ["check_panel"]


def check_panel(gate: Gate, compared: BesideBaseline) -> dict[Budget, tuple[Checked, ...]]:
    """Return the check of each budget of the panel.

    Args:
        gate: The budgets.
        compared: The run beside its baseline, with shifts of the originals where a budget is of the panel.
    """
    return {one: (_check(one, gate, compared),) for one in gate.budgets if one.scope == "panel"}


def _check(budget: Budget, gate: Gate, compared: BesideBaseline) -> Checked:
    shift = compared.shift
    assert shift is not None, "a budget of the panel has the originals compared"
    value, images = float(getattr(shift, budget.statistic)), len(shift.shifts)
    judged = judge_value(budget, value, images=images, least=gate.min_images)
    return Checked(
        budget=budget.name,
        source=budget.source,
        line=budget.line,
        scope="panel",
        transform=None,
        statistic=budget.statistic,
        unit=find_measure("panel", budget.statistic).unit,
        kind=budget.kind,
        limit=judged.limit,
        value=value,
        run_mean=math.nan,
        baseline_mean=math.nan,
        bound=judged.bound,
        joint_bound=judged.joint_bound,
        n=images,
        images=images,
        grade=compared.pairing.originals.grade,
        verdict=judged.verdict,
        reason=judged.reason,
        images_needed=judged.images_needed,
    )
