"""Comparisons of runs: how encoders are related, what differs, and what is not worse by a margin."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from embshift.analysis.compared.catalogue import COMPARED, PRIMARY, WITHIN_ONE_SPACE
from embshift.analysis.compared.intervals import (
    Estimates,
    Sample,
    estimate,
    sample_differences,
    sample_values,
)
from embshift.analysis.compared.measured import MeasuredSide, measure_sides, relate_sides
from embshift.analysis.compared.names import name_runs
from embshift.analysis.compared.of_runs import list_draws
from embshift.analysis.compared.results import ComparedPair, ComparedRun, Comparison, Row, Verdicts
from embshift.analysis.compared.spaces import Relation
from embshift.analysis.compared.stability import compute_overview
from embshift.analysis.compared.values import ComparedValues
from embshift.analysis.pairing.pairing import LEAST_SHARED, Pairing, pair_panels
from embshift.analysis.pairing.panels import read_panel
from embshift.analysis.sampling.bootstrap import LEVEL, RESAMPLES
from embshift.analysis.shifts.sign_flips import flip_signs
from embshift.core.errors import PlanError
from embshift.core.named import find_position
from embshift.core.types import Direction
from embshift.runs.addresses import describe_folder
from embshift.runs.tables import RunTables

__all__ = ["MOST", "compare_runs"]

MOST = 30
"""Greatest number of runs that are compared at once."""

COLUMNS_AT_ONCE = 2_000
"""Columns that are resampled at once: 160 MiB for 10,000 resamples."""


def compare_runs(
    runs: Sequence[RunTables],
    *,
    by: str = PRIMARY,
    margin: float | None = None,
    least_shared: float = LEAST_SHARED,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare runs image by image, on the images, transforms and draws that all of them have.

    "Does it differ?" is answered by sign flips on one statistic, two-sided and adjusted for all transforms.
    "Is it worse by no more than a margin?" is answered by a one-sided bound. Neither answer replaces the
    other: no shown difference does not mean equal.

    Args:
        runs: Two to thirty runs; the first is the reference.
        by: A statistic of `COMPARED`.
        margin: Margin for "not worse", in the unit of `by`; not asked where None.
        least_shared: Least share of all images that every run must share with the reference, above 0 to 1.
        level: Coverage of intervals; of one-sided bounds as well.
        resamples: Number of resamples and of sign flips.
        seed: Their seed.

    Raises:
        PlanError: If an option is out of range, or the statistic cannot compare these encoders.
        RunError: If transforms of one name do different things, or too little is shared.
        UnknownNameError: If there is no such statistic.
    """
    find_position(list(COMPARED), by, kind="statistic")
    _check(runs, margin=margin, least_shared=least_shared, resamples=resamples)
    names, pairings = name_runs(runs), _pair(runs, least_shared=least_shared)
    sides = measure_sides(runs, pairings, resamples=resamples, seed=seed)
    related = [relate_sides(sides[0], side) for side in sides[1:]]
    relations: list[Relation] = [relation for relation, _ in related]
    statistics = _choose(relations, by=by, names=names)
    values = [side.values.select(statistics=statistics) for side in sides]
    draws = len(list_draws(pairings))
    options: dict[str, Any] = {"resamples": resamples, "seed": seed}
    own = [sample_values(one, draws=draws) for one in values]
    apart = [sample_differences(values[0], one) for one in values[1:]]
    found = _estimate([*own, *apart], level=level, **options)
    floor = _find_floor(runs[0], values, by=by)
    _check_margin(margin, floor=floor, by=by)
    columns = [_column(values[0], one, by=by) for one in values[1:]]
    tests = [_test(column, **options) for column in columns]
    verdicts = _judge(apart, by=by, margin=margin, level=level, **options)
    pairs = [
        ComparedPair(
            name=names[at + 1],
            relation=relations[at],
            pairing=replace(pairings[at], first=names[0], second=names[at + 1]),
            space=related[at][1],
            differences=found[len(own) + at],
            p=tests[at][0],
            adjusted=tests[at][1],
            verdicts=verdicts[at],
        )
        for at in range(len(apart))
    ]
    return Comparison(
        by=by,
        images=len(values[0].ids),
        transforms=values[0].transforms,
        statistics=statistics,
        runs=tuple(
            ComparedRun(
                name=name,
                folder=describe_folder(run.folder),
                encoder=str(run.info["encoder"]["name"]),
                estimates=estimates,
                sweep=side.sweep,
            )
            for name, run, estimates, side in zip(names, runs, found, sides, strict=False)
        ),
        pairs=tuple(pairs),
        overview=compute_overview(
            names, values, [side.spread for side in sides], draws=draws, level=level, **options
        ),
        floor=floor,
        level=level,
        notes=tuple(_write_notes(pairs, statistics, sides=sides, names=names, floor=floor)),
    )


def _check(runs: Sequence[RunTables], *, margin: float | None, least_shared: float, resamples: int) -> None:
    if not 2 <= len(runs) <= MOST:
        raise PlanError(f"{len(runs)} run{'s' * (len(runs) != 1)} given; expected 2 to {MOST} run folders")
    folders = [run.folder.resolve() for run in runs]
    twice = next((folder for folder in folders if folders.count(folder) > 1), None)
    if twice is not None:
        raise PlanError(f"{twice} is given twice; give each run once")
    if margin is not None and not 0 < margin < float("inf"):
        raise PlanError(f"margin is {margin:g}; expected a number above 0, in the unit of the statistic")
    if not 0 < least_shared <= 1:
        raise PlanError(
            f"least shared is {least_shared:g}; expected above 0 and up to 1, e.g. {LEAST_SHARED:g}"
        )
    if resamples < 100:
        raise PlanError(f"resamples is {resamples}; expected 100 or more, e.g. {RESAMPLES}")


def _pair(runs: Sequence[RunTables], *, least_shared: float) -> list[Pairing]:
    panels = [read_panel(run) for run in runs]
    return [pair_panels(panels[0], panel, least_shared=least_shared) for panel in panels[1:]]


def _choose(relations: Sequence[Relation], *, by: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the statistics that can be compared between these encoders."""
    different = [name for name, one in zip(names[1:], relations, strict=True) if one == "different encoders"]
    if not different:
        return tuple(COMPARED)
    if by in WITHIN_ONE_SPACE:
        raise PlanError(
            f"{by} cannot be compared between {names[0]} and {different[0]}, since it shrinks where all"
            f" embeddings of an encoder have a part in common; compare by {PRIMARY}"
        )
    return tuple(name for name in COMPARED if name not in WITHIN_ONE_SPACE)


def _estimate(samples: Sequence[Sample], **options: Any) -> list[Estimates]:
    """Estimate as many samples together as memory holds; the seed gives all of them the same resamples."""
    at_once = max(1, COLUMNS_AT_ONCE // max(samples[0].values.shape[1], 1))
    return [
        one
        for start in range(0, len(samples), at_once)
        for one in estimate(samples[start : start + at_once], **options)
    ]


def _find_floor(run: RunTables, values: Sequence[ComparedValues], *, by: str) -> float:
    targets = {one["name"]: one.get("target") for one in run.info["plan"]["transforms"]}
    at = [place for place, name in enumerate(values[0].transforms) if targets.get(name) == "identity"]
    column = values[0].statistics.index(by)
    known = [found.values[:, at, column] for found in values if at]
    distances = [np.abs(one[~np.isnan(one)] - COMPARED[by].identity) for one in known]
    return max((float(one.mean()) for one in distances if len(one)), default=float("nan"))


def _check_margin(margin: float | None, *, floor: float, by: str) -> None:
    if margin is not None and margin < 2 * floor:
        raise PlanError(
            f"margin is {margin:g}, below twice the numeric floor of {by} ({floor:.3g}), where rounding alone"
            f" decides; give {2 * floor:.3g} or more"
        )


def _column(
    first: ComparedValues, second: ComparedValues, *, by: str
) -> Float64[np.ndarray, "images transforms"]:
    at = first.statistics.index(by)
    return np.asarray(second.values[:, :, at] - first.values[:, :, at])


def _test(
    differences: Float64[np.ndarray, "images transforms"], *, resamples: int, seed: int
) -> tuple[Row, Row]:
    """Test every transform on the images that have all of them; transforms without any image keep NaN."""
    known = ~np.isnan(differences)
    whole = known[:, known.any(axis=0)].all(axis=1)
    found = flip_signs(differences[whole], resamples=resamples, seed=seed)
    return found.p, found.adjusted


def _judge(
    apart: Sequence[Sample], *, by: str, margin: float | None, level: float, **options: Any
) -> list[Verdicts | None]:
    if margin is None:
        return [None] * len(apart)
    sign = 1.0 if COMPARED[by].direction is Direction.LOWER else -1.0
    samples = [_orient(one, by=by, sign=sign) for one in apart]
    # The end of a two-sided interval of 90 % is a one-sided bound of 95 %.
    found = _estimate(samples, level=2 * level - 1, **options)
    return [Verdicts(margin=margin, worse=one.mean[:, 0], bound=one.high[:, 0], level=level) for one in found]


def _orient(sample: Sample, *, by: str, sign: float) -> Sample:
    """Return one statistic of a sample of differences, with the sign that makes worse positive."""
    columns = slice(sample.statistics.index(by), None, len(sample.statistics))
    values, pulls = sign * sample.values[:, columns], sign * sample.pulls[:, columns]
    return replace(sample, statistics=(by,), values=values, pulls=pulls)


def _write_notes(
    pairs: Sequence[ComparedPair],
    statistics: Sequence[str],
    *,
    sides: Sequence[MeasuredSide],
    names: Sequence[str],
    floor: float,
) -> Iterator[str]:
    for pair in pairs:
        for note in pair.pairing.notes():
            yield f"{pair.name}: {note}"
    different = [pair.name for pair in pairs if pair.relation == "different encoders"]
    for name in COMPARED:
        if name not in statistics:
            yield (
                f"{name} is left out for all runs: it cannot be compared between different encoders"
                f" ({names[0]} beside {', '.join(different)})"
            )
    for name, side in zip(names, sides, strict=True):
        if side.left_out:
            yield f"{name}: {side.left_out:,} originals left out, whose embedding is all zeros or not finite"
    if np.isnan(floor) and any(pair.space is not None for pair in pairs):
        yield (
            "no numeric floor: the transform identity is not in all runs; measure it in each of them to tell"
            " changes from rounding"
        )
