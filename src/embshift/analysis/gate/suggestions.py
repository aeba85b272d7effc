"""Limits that a run would hold, with the number of images that they need."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from embshift.analysis.compared.catalogue import COMPARED, PRIMARY
from embshift.analysis.compared.intervals import sample_differences, sample_values
from embshift.analysis.compared.values import measure_values
from embshift.analysis.gate.baselines import check_finished
from embshift.analysis.gate.catalogue import SLACK as BOUND_SLACK
from embshift.analysis.gate.catalogue import Kind
from embshift.analysis.gate.sides import Side, measure_sides
from embshift.analysis.gate.verdicts import Bound, bound_samples, count_images
from embshift.analysis.of_run import pair_views
from embshift.analysis.pairing.pairing import pair_panels
from embshift.analysis.pairing.panels import read_panel
from embshift.analysis.sampling.bootstrap import FEWEST, LEVEL
from embshift.core.errors import BudgetError
from embshift.core.types import Direction
from embshift.core.words import count_noun
from embshift.runs.tables import RunTables

__all__ = ["MARGIN", "SLACK", "STATISTICS", "Suggested", "suggest_differences", "suggest_limits"]

STATISTICS = (PRIMARY, "recall_at_1")
"""Statistics that limits are suggested for by default."""

SLACK = 0.25
"""How much worse than the run, relative to its own loss, a suggested limit is."""

MARGIN = 0.01
"""Suggested margin of a difference."""


_OTHER_SEED = 0.1
"""Part of a bound's width by which a limit is looser than it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """A limit.

    Attributes:
        transform: Name of the transform.
        statistic: What is limited.
        kind: "at_most", "at_least" or "worse_by_at_most".
        limit: The limit.
        value: Mean of the run, or its mean difference to the baseline.
        images: Number of images of the run.
        images_needed: Images with which a run like this one holds the limit with probability .8; None if
            none would, or more than 10,000,000.
    """

    transform: str
    statistic: str
    kind: Kind
    limit: float
    value: float
    images: int
    images_needed: int | None


def suggest_limits(
    run: RunTables,
    /,
    *,
    statistics: Sequence[str] = STATISTICS,
    slack: float = SLACK,
    level: float = LEVEL,
) -> list[Suggested]:
    """Suggest a limit for each transform: looser than the mean by a slack, and than its one-sided bound.

    Args:
        run: A finished run.
        statistics: Compared statistics.
        slack: Part of the mean, or of what it lacks to 1, by which the limit is looser.
        level: Coverage of the one-sided bounds.

    Raises:
        BudgetError: If the slack is below 0, or the run has fewer than ten images.
        RunError: If the run is not finished.
    """
    check_finished(run)
    if not 0 <= slack < math.inf:
        raise BudgetError(f"slack is {slack:g}; expected 0 or more, e.g. {SLACK}")
    values = measure_values(pair_views(run), transforms=run.transforms)
    if len(values.ids) < FEWEST:
        raise BudgetError(
            f"{run.folder} has {count_noun(len(values.ids), 'image')}; expected {FEWEST} or more for bounds"
        )
    draws = int(run.info["plan"].get("draws", 1))
    samples = [
        sample_values(values.select(transforms=run.transforms, statistics=[one]), draws=draws)
        for one in statistics
    ]
    bounds = bound_samples(samples, level=level, seed=0, families=len(samples))
    return [
        found
        for statistic, part in zip(statistics, bounds, strict=True)
        for name in run.transforms
        if part[name, statistic].n >= FEWEST
        if (found := _suggest(name, statistic, part[name, statistic], slack=slack, level=level)) is not None
    ]


def _suggest(transform: str, statistic: str, bound: Bound, *, slack: float, level: float) -> Suggested | None:
    """Return a limit; None where it would be the least or greatest value that there is."""
    measure = COMPARED[statistic]
    upper = measure.direction is Direction.LOWER
    if upper:
        # Resamples of another seed end elsewhere, by a few hundredths of the width.
        far = bound.high + _OTHER_SEED * (bound.high - bound.value)
        limit = min(_round_up(max(bound.value * (1 + slack), far, BOUND_SLACK)), measure.bounds[1])
    else:
        limit = max(_round_down(min(1 - (1 - bound.value) * (1 + slack), bound.low)), measure.bounds[0])
    if limit in measure.bounds:
        return None
    return Suggested(
        transform=transform,
        statistic=statistic,
        kind="at_most" if upper else "at_least",
        limit=limit,
        value=bound.value,
        images=bound.n,
        images_needed=count_images(bound, limit=limit, error=1 - level),
    )


def suggest_differences(
    run: RunTables, side: Side, /, *, margin: float = MARGIN, level: float = LEVEL
) -> list[Suggested]:
    """Return how many images a margin needs for each transform, by the differences to a baseline.

    Args:
        run: A finished run.
        side: Its baseline.
        margin: How much worse relative shift may be.
        level: Coverage of the one-sided bounds.

    Raises:
        BaselineError: If the baseline does not hold the same images.
        RunError: If run and baseline do not pair.
    """
    check_finished(run)
    if not 2 * BOUND_SLACK <= margin < math.inf:
        raise BudgetError(f"margin is {margin:g}; expected {2 * BOUND_SLACK:g} or more, e.g. {MARGIN}")
    pairing = pair_panels(side.panel, read_panel(run))
    names = [one.name for one in pairing.transforms]
    first, second = measure_sides(side, run, pairing, transforms=names)
    sample = sample_differences(
        *(one.select(transforms=names, statistics=[PRIMARY]) for one in (first, second))
    )
    (bounds,) = bound_samples([sample], level=level, seed=0, families=1)
    return [
        Suggested(
            transform=name,
            statistic=PRIMARY,
            kind="worse_by_at_most",
            limit=margin,
            value=bound.value,
            images=bound.n,
            # As if the true difference were 0: what a change that does nothing needs to hold. A run that
            # equals its baseline does not show how far others would vary.
            images_needed=_count_unchanged(bound, margin=margin, level=level),
        )
        for (name, _), bound in bounds.items()
    ]


def _count_unchanged(bound: Bound, *, margin: float, level: float) -> int | None:
    if bound.deviation == 0:
        return None
    return count_images(replace(bound, value=0.0), limit=margin, error=1 - level, compares=True)


def _round_up(value: float) -> float:
    """Return a value with two significant digits, not below it."""
    if value <= 0:
        return 0.0
    digits = 1 - math.floor(math.log10(value))
    return round(float(np.ceil(round(value * 10.0**digits, 6))) / 10.0**digits, max(digits, 0))


def _round_down(value: float) -> float:
    """Return a share with three decimal places, not above it."""
    return max(math.floor(round(value * 1000, 6)) / 1000, 0.0)
