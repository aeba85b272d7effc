"""A run beside its baseline: pairing, relation of the encoders, and what budgets need of both."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from embshift.analysis.compared.catalogue import COMPARED, WITHIN_ONE_SPACE
from embshift.analysis.compared.spaces import Relation, SpaceShift, relate_encoders
from embshift.analysis.compared.values import ComparedValues
from embshift.analysis.gate.budgets import Budget, Gate
from embshift.analysis.gate.catalogue import SLACK
from embshift.analysis.gate.sides import Side, measure_sides, shift_originals
from embshift.analysis.pairing.pairing import Pairing, pair_panels
from embshift.analysis.pairing.panels import read_panel, read_weights_digest
from embshift.analysis.sampling.bootstrap import means
from embshift.core.errors import BaselineError, BudgetError
from embshift.core.types import Direction
from embshift.runs.tables import RunTables

__all__ = ["BesideBaseline", "compare_with"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BesideBaseline:
    """A run and its baseline, as far as budgets on a difference need them.

    Attributes:
        side: The baseline.
        pairing: What both have in common.
        shift: Shifts of the originals; None where no budget needs them.
        relation: How the encoders are related; None where it is not known without their embeddings.
        values: Values of the baseline and of the run on the shared images; None where no budget needs them.
    """

    side: Side
    pairing: Pairing
    shift: SpaceShift | None
    relation: Relation | None
    values: tuple[ComparedValues, ComparedValues] | None


def compare_with(
    side: Side, run: RunTables, gate: Gate, matches: Mapping[Budget, tuple[str, ...]]
) -> BesideBaseline:
    """Pair a run with its baseline, and measure what the budgets need.

    Args:
        side: The baseline.
        run: The run.
        gate: The budgets.
        matches: The run's transforms of each budget.

    Raises:
        RunError: If they do not pair.
        BaselineError: If a budget cannot be judged with this baseline.
        BudgetError: If a margin is too small to be told from rounding.
    """
    panel = read_panel(run)
    pairing = pair_panels(side.panel, panel)
    differences = [one for one in gate.budgets if one.kind == "worse_by_at_most"]
    for budget in gate.budgets:
        if budget.compares:
            _check_paired(budget, matches[budget], pairing, side)
    digests = [read_weights_digest(one.encoder) for one in (side.panel, panel)]
    known = digests[0] is not None and digests[0] == digests[1]
    spatial = any(one.statistic in WITHIN_ONE_SPACE for one in differences) and not known
    wanted = spatial or any(one.scope == "panel" for one in gate.budgets)
    shift = shift_originals(side, run, pairing) if wanted else None
    relation = relate_encoders(*digests, shift=shift) if wanted or known else None
    if spatial and relation == "different encoders":
        budget = next(one for one in differences if one.statistic in WITHIN_ONE_SPACE)
        raise BaselineError(
            f"{budget.place()}: {budget.statistic} is not comparable between {side.panel.encoder['name']} and"
            f" {panel.encoder['name']}, whose embeddings share no space; limit relative_shift instead"
        )
    values = None
    if differences:
        values = _measure(side, run, pairing, differences, matches)
    return BesideBaseline(side=side, pairing=pairing, shift=shift, relation=relation, values=values)


_ALLOW = 'state allow = "prepared"'
_ALLOW_IN_FILE = f"write the budget into a file and {_ALLOW}"


def _check_paired(budget: Budget, names: tuple[str, ...], pairing: Pairing, side: Side) -> None:
    """Raise where a budget covers a transform of one side alone, or pixels that it does not allow."""
    lost = [
        name
        for name in (*pairing.alone[0], *pairing.alone[1])
        if any(fnmatchcase(name, pattern) for pattern in budget.transforms)
    ]
    if lost:
        raise BaselineError(
            f"{budget.place()} covers {', '.join(lost)}, which {side.path} or the run lacks; measure it,"
            " write the baseline again, or narrow the pattern"
        )
    grades = [pairing.grade(name) for name in names] or [pairing.originals.grade]
    if "prepared" in grades and budget.allow != "prepared":
        why = ", ".join(pairing.prepared) or "other versions of libraries"
        raise BaselineError(
            f"{budget.place()}: pixels differ from those of {side.path} ({why}), so the preparation would be"
            f" judged as well; prepare images alike, or {_ALLOW if budget.line else _ALLOW_IN_FILE}"
        )


def _measure(
    side: Side,
    run: RunTables,
    pairing: Pairing,
    differences: list[Budget],
    matches: Mapping[Budget, tuple[str, ...]],
) -> tuple[ComparedValues, ComparedValues]:
    """Return the values of both on the transforms of the budgets, once the margins are checked."""
    covered = {name for budget in differences for name in matches[budget]}
    still = {name for name, one in side.panel.specifications.items() if one.get("target") == "identity"}
    shared = [one.name for one in pairing.transforms]
    names = [name for name in shared if name in covered | still]
    values = measure_sides(side, run, pairing, transforms=names)
    floors = _find_floors(values, still)
    for budget in differences:
        least = 2 * floors[budget.statistic]
        if budget.limit < least:
            raise BudgetError(
                f"{budget.place()}, {budget.kind}: {budget.limit:g} is less than {least:.3g}, twice what"
                f" computing changes in {budget.statistic}; expected a larger margin"
            )
    return values


def _find_floors(values: tuple[ComparedValues, ComparedValues], still: set[str]) -> dict[str, float]:
    """Return what computing alone changes in a mean: the slack, or the mean of views without a change."""
    floors = dict.fromkeys(COMPARED, SLACK)
    for side in values:
        for place, name in enumerate(side.statistics):
            if COMPARED[name].direction is not Direction.LOWER:
                continue
            for at, transform in enumerate(side.transforms):
                if transform in still:
                    mean = float(means(side.values[:, at, place, None])[0])
                    floors[name] = max(floors[name], mean)  # a NaN is never greater
    return floors
