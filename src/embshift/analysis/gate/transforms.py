"""Budgets of transforms: means over images, and their differences to a baseline."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embshift.analysis.compared.intervals import Sample, sample_differences, sample_values
from embshift.analysis.compared.values import ComparedValues, measure_values
from embshift.analysis.gate.budgets import Budget, Gate
from embshift.analysis.gate.catalogue import find_measure
from embshift.analysis.gate.comparison import BesideBaseline
from embshift.analysis.gate.record import Checked
from embshift.analysis.gate.verdicts import Bound, bound_samples, judge
from embshift.analysis.of_run import pair_views
from embshift.analysis.sampling.bootstrap import means
from embshift.runs.tables import RunTables

__all__ = ["check_transforms"]

Bounds = Mapping[tuple[str, str], Bound]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Family:
    """Means of one kind that are bounded together, by statistic: those of the run, or differences.

    Attributes:
        run: Values of the run's images.
        baseline: Values of the baseline's; None for means of the run.
        draws: Draws behind a value of the run.
    """

    run: ComparedValues
    baseline: ComparedValues | None
    draws: int

    def sample(self, statistic: str, transforms: Sequence[str]) -> Sample:
        own = self.run.select(transforms=transforms, statistics=[statistic])
        if self.baseline is None:
            return sample_values(own, draws=self.draws)
        return sample_differences(self.baseline.select(transforms=transforms, statistics=[statistic]), own)


def check_transforms(
    run: RunTables,
    gate: Gate,
    matches: Mapping[Budget, tuple[str, ...]],
    compared: BesideBaseline | None,
    *,
    seed: int,
) -> dict[Budget, tuple[Checked, ...]]:
    """Return the checks of each budget of transforms.

    Args:
        run: The run.
        gate: The budgets.
        matches: The run's transforms of each budget.
        compared: The run beside its baseline; None without.
        seed: Seed of the resamples.
    """
    budgets = [one for one in gate.budgets if one.scope == "transforms"]
    kinds = {True: [b for b in budgets if b.compares], False: [b for b in budgets if not b.compares]}
    families = sum(len({one.statistic for one in part}) for part in kinds.values())
    found = dict[Budget, tuple[Checked, ...]]()
    for compares, part in kinds.items():
        if not part:
            continue
        family = _measure(run, compared, _covered(part, matches), compares=compares)
        bounds = _bound(family, part, matches, level=gate.level, seed=seed, families=families)
        for budget in part:
            checks = (
                _check(budget, name, family, bounds, gate=gate, compared=compared, families=families)
                for name in matches[budget]
            )
            found[budget] = tuple(checks)
    return found


def _covered(budgets: Sequence[Budget], matches: Mapping[Budget, tuple[str, ...]]) -> list[str]:
    return list(dict.fromkeys(name for budget in budgets for name in matches[budget]))


def _measure(
    run: RunTables, compared: BesideBaseline | None, transforms: Sequence[str], *, compares: bool
) -> _Family:
    draws = int(run.info["plan"].get("draws", 1))
    if not compares:
        own = measure_values(pair_views(run), transforms=transforms)
        return _Family(run=own, baseline=None, draws=draws)
    assert compared is not None, "a budget on a difference has a baseline"
    assert compared.values is not None, "a budget on a difference has both measured"
    first, second = compared.values
    return _Family(run=second, baseline=first, draws=draws)


def _bound(
    family: _Family,
    budgets: Sequence[Budget],
    matches: Mapping[Budget, tuple[str, ...]],
    *,
    level: float,
    seed: int,
    families: int,
) -> Bounds:
    samples = [
        family.sample(statistic, _covered([b for b in budgets if b.statistic == statistic], matches))
        for statistic in dict.fromkeys(one.statistic for one in budgets)
    ]
    found = bound_samples(samples, level=level, seed=seed, families=families)
    return {key: bound for part in found for key, bound in part.items()}


def _check(
    budget: Budget,
    transform: str,
    family: _Family,
    bounds: Bounds,
    *,
    gate: Gate,
    compared: BesideBaseline | None,
    families: int,
) -> Checked:
    bound, images = bounds[transform, budget.statistic], len(family.run.ids)
    judged = judge(budget, bound, gate=gate, images=images, families=families)
    return Checked(
        budget=budget.name,
        source=budget.source,
        line=budget.line,
        scope="transforms",
        transform=transform,
        statistic=budget.statistic,
        unit=find_measure("transforms", budget.statistic).unit,
        kind=budget.kind,
        limit=judged.limit,
        value=bound.value,
        run_mean=_mean(family.run, transform, budget.statistic),
        baseline_mean=_mean(family.baseline, transform, budget.statistic),
        bound=judged.bound,
        joint_bound=judged.joint_bound,
        n=bound.n,
        images=images,
        grade=compared.pairing.grade(transform) if compared is not None and budget.compares else None,
        verdict=judged.verdict,
        reason=judged.reason,
        images_needed=judged.images_needed,
    )


def _mean(values: ComparedValues | None, transform: str, statistic: str) -> float:
    if values is None:
        return math.nan
    return float(means(values.select(transforms=[transform], statistics=[statistic]).values[:, :, 0])[0])
