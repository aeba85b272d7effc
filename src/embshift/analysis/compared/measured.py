"""Everything that is measured of each compared run, one run in memory at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from embshift.analysis.compared.cache import name_values, read_values, write_values
from embshift.analysis.compared.of_runs import list_draws, pair_shared
from embshift.analysis.compared.reading import GroupedViews
from embshift.analysis.compared.spaces import (
    ONE_SPACE,
    Relation,
    SpaceShift,
    measure_space_shift,
    relate_encoders,
)
from embshift.analysis.compared.stability import Spread, measure_spread
from embshift.analysis.compared.values import ComparedValues, measure_values
from embshift.analysis.embeddings.calibration import distance_scale
from embshift.analysis.embeddings.pairs import Pairs
from embshift.analysis.pairing.pairing import Pairing
from embshift.analysis.pairing.panels import read_weights_digest
from embshift.analysis.strength.levels import is_sweep, read_levels
from embshift.analysis.strength.sweep import Sweep, compute_sweep
from embshift.core.errors import RunError
from embshift.runs.tables import RunTables

__all__ = ["MeasuredSide", "measure_sides", "relate_sides"]

_SAMPLE = 1_000
"""Images on which encoders are told apart before all images are compared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredSide:
    """One run on the images that all runs have.

    Attributes:
        digest: Digest of its weights; None where it is unknown.
        values: Values of its images.
        units: Unit embeddings of the originals, ordered by id.
        spread: How far apart they lie.
        left_out: Number of originals without an angle.
        sweep: Its curves; None where it is no sweep.
    """

    digest: str | None
    values: ComparedValues
    units: Float64[np.ndarray, "images dim"]
    spread: Spread
    left_out: int
    sweep: Sweep | None


def measure_sides(
    runs: Sequence[RunTables], pairings: Sequence[Pairing], *, resamples: int, seed: int
) -> list[MeasuredSide]:
    """Measure every run on the images, transforms and draws that all of them have.

    Args:
        runs: The runs.
        pairings: What the first run has in common with each of the others.
        resamples: Number of resamples of the curves of sweeps.
        seed: Their seed.

    Raises:
        RunError: If no transform is in all runs.
    """
    names = _share_transforms(pairings)
    draws, swept = list_draws(pairings), all(is_sweep(run) for run in runs)
    found = list[MeasuredSide]()
    for run, pairs in zip(runs, pair_shared(runs, pairings), strict=True):
        views = run.info["plan"].get("draws", 1) * run.count_images()
        read = GroupedViews.of(run, names, views=views, dim=pairs.units.shape[1])
        sweep = _measure_sweep(run, pairs, names, resamples=resamples, seed=seed) if swept else None
        grouped = replace(pairs, read=read).among(pairs.ids, draws=draws)
        found.append(_measure(run, grouped, names, draws=draws, sweep=sweep))
    return found


def _share_transforms(pairings: Sequence[Pairing]) -> list[str]:
    names = [one.name for one in pairings[0].transforms]
    for pairing in pairings[1:]:
        names = [name for name in names if name in {one.name for one in pairing.transforms}]
    if not names:
        first = pairings[0]
        both = ", ".join(one.name for one in first.transforms)
        raise RunError(
            f"no transform is in all {len(pairings) + 1} runs ({first.first} and {first.second} share"
            f" {both}); measure the same preset, or compare fewer runs"
        )
    return names


def _measure(
    run: RunTables,
    pairs: Pairs,
    transforms: Sequence[str],
    *,
    draws: tuple[int, ...],
    sweep: Sweep | None,
) -> MeasuredSide:
    values, spread = _find_values(run, pairs, tuple(transforms), draws=draws)
    return MeasuredSide(
        digest=read_weights_digest(run.info["encoder"]),
        values=values,
        units=pairs.units[pairs.order_by_id()],
        spread=spread,
        left_out=pairs.left_out,
        sweep=sweep,
    )


def _find_values(
    run: RunTables, pairs: Pairs, transforms: tuple[str, ...], *, draws: tuple[int, ...]
) -> tuple[ComparedValues, Spread]:
    """Return the values of every image, and how far apart the originals lie: kept ones, or computed anew."""
    kept = name_values(run, pairs, transforms=transforms, draws=draws)
    found = None if kept is None else read_values(kept, pairs, transforms=transforms)
    if found is not None:
        return found
    scale = distance_scale(pairs.units)
    values = measure_values(pairs, transforms=transforms, scale=scale)
    spread = measure_spread(pairs.units, scale, ids=pairs.ids)
    if kept is not None:
        write_values(kept, values, spread)
    return values, spread


def _measure_sweep(
    run: RunTables, pairs: Pairs, transforms: Sequence[str], *, resamples: int, seed: int
) -> Sweep:
    levels = [one for one in read_levels(run.info) if one.name in transforms]
    return compute_sweep(pairs, levels, resamples=resamples, seed=seed)


def relate_sides(first: MeasuredSide, second: MeasuredSide, /) -> tuple[Relation, SpaceShift | None]:
    """Return how two encoders are related, and what lies between their embeddings of the same originals.

    Args:
        first: The reference.
        second: Another run, on the same images.
    """
    same = first.digest is not None and first.digest == second.digest
    if first.units.shape != second.units.shape or not (same or _may_share_space(first, second)):
        return relate_encoders(first.digest, second.digest, shift=None), None
    space = measure_space_shift(first.units, second.units)
    relation = relate_encoders(first.digest, second.digest, shift=space)
    return relation, None if relation == "different encoders" else space


def _may_share_space(first: MeasuredSide, second: MeasuredSide) -> bool:
    """Ask a part of the images only: among few images the own one is found at least as often."""
    images = len(first.units)
    if images <= _SAMPLE:
        return True
    kept = np.sort(np.random.default_rng(0).choice(images, size=_SAMPLE, replace=False))
    return measure_space_shift(first.units[kept], second.units[kept]).old_index_recall >= ONE_SPACE
