"""Structure: whether images keep their arrangement, whatever happened to the space: CKA, Procrustes, RSA."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float64, Int64

from embshift.analysis.embeddings.agreement import (
    distance_ranks,
    linear_cka,
    procrustes,
    rsa,
    scale_to_one,
    unbiased_cka,
)
from embshift.analysis.embeddings.catalogue import STRUCTURE
from embshift.analysis.embeddings.chance import chance_range, permuted_procrustes, permuted_rsa
from embshift.analysis.embeddings.measures import Measured, without_intervals
from embshift.analysis.embeddings.pairs import DrawViews, Pairs
from embshift.analysis.sampling.bootstrap import LEVEL
from embshift.analysis.sampling.jackknife import jackknife
from embshift.core.errors import PlanError

__all__ = ["PERMUTATIONS", "SAMPLE", "measure_structure"]

PERMUTATIONS = 199
"""Number of permutations of the baselines by default: the least that show a 95 % range with some accuracy."""

SAMPLE = 250
"""Number of images up to which all are measured by default; of more, a seeded sample of this size."""

RSA_IMAGES = 2_000
"""Number of images up to which all distances are compared; of more, a seeded sample of this size is used."""

_WITHHELD = [at for at, one in enumerate(STRUCTURE) if one.name in ("linear_cka", "procrustes")]
"""Measures without an interval: they depend on the number of images, so that an interval over some images
holds the value over many far too seldom: in 0 to 88 % of simulated runs of 10 to 100 images."""

Orders: TypeAlias = Sequence[Int64[np.ndarray, " images"]]


def measure_structure(
    pairs: Pairs, *, permutations: int = PERMUTATIONS, level: float = LEVEL, seed: int = 0
) -> Measured:
    """Measure the structure of originals and views of every transform, and what chance alone would give.

    Draws are measured separately and averaged. Intervals are by a grouped jackknife over images, on Fisher's
    scale; linear CKA and Procrustes have none, since their value depends on the number of images. If there
    are no more images than dimensions, a rotation aligns almost anything, so Procrustes and RSA are given
    with their mean over permutations of the views, and the range of these in place of an interval.

    Args:
        pairs: Originals and views.
        permutations: Number of permutations of the baselines, 1 or more; 39 or more give a 95 % range.
        level: Coverage of the intervals, and share of the permutations in the ranges.
        seed: Seed of the permutations and groups, and of the sample for RSA beyond 2,000 images.

    Raises:
        PlanError: If `permutations` is out of range.
    """
    if permutations < 1:
        raise PlanError(f"permutations is {permutations}; expected 1 or more, e.g. {PERMUTATIONS}")
    shape = (len(pairs.transforms), len(STRUCTURE))
    found, n, undefined = np.full((3, *shape), np.nan), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    for at, transform in enumerate(pairs.transforms):
        draws, recorded = pairs.views(transform)
        behind = max((len(draw.at) for draw in draws), default=0)
        if behind:
            found[:, at] = _measure(pairs, draws, permutations=permutations, level=level, seed=seed)
        n[at] = behind
        n[at, 4:] = min(behind, RSA_IMAGES)
        undefined[at] = recorded.sum() - behind
    return Measured(
        name="structure",
        measures=STRUCTURE,
        transforms=pairs.transforms,
        estimates=replace(without_intervals(found[0], n), low=found[1], high=found[2]),
        undefined=undefined,
        images=len(pairs),
        left_out=pairs.left_out,
        notes=_notes(pairs, permutations=permutations, level=level),
        level=level,
    )


def _measure(
    pairs: Pairs, draws: Sequence[DrawViews], *, permutations: int, level: float, seed: int
) -> Float64[np.ndarray, "ends measures"]:
    """Return values and both ends of every measure, averaged over draws."""
    chosen = [_sample(draw, seed=seed) for draw in draws if len(draw.at)]

    def aligned(kept: Bool[np.ndarray, " images"]) -> Float64[np.ndarray, " one"]:
        return _mean_of([[unbiased_cka(*_sides(pairs, draw, kept))] for draw in draws])

    def ordered(kept: Bool[np.ndarray, " images"]) -> Float64[np.ndarray, " one"]:
        return _mean_of([[rsa(*_sides(pairs, draw, kept))] for draw in chosen])

    sides = [_sides(pairs, draw, np.ones(len(pairs), bool)) for draw in draws]
    table = np.full((3, len(STRUCTURE)), np.nan)
    table[0, _WITHHELD] = _mean_of([[linear_cka(*two), procrustes(*two)] for two in sides])
    for at, compute in ((1, aligned), (4, ordered)):
        value, ends = jackknife(compute, images=len(pairs), level=level, seed=seed, correlations=True)
        table[0, at], table[1:, at] = value[0], ends[:, 0]
    chance = [
        _chance(pairs, draws, _permuted_procrustes, permutations=permutations, level=level, seed=seed),
        _chance(pairs, chosen, _permuted_rsa, permutations=permutations, level=level, seed=seed),
    ]
    table[:, 3], table[:, 5] = chance
    low, high = (np.array([one.bounds[side] for one in STRUCTURE]) for side in (0, 1))
    table[1:] = np.clip(table[1:], low, high)
    return table


def _sides(
    pairs: Pairs, draw: DrawViews, kept: Bool[np.ndarray, " originals"]
) -> tuple[Float64[np.ndarray, "images dim"], Float64[np.ndarray, "images dim"]]:
    own = kept[draw.at]
    return pairs.units[draw.at[own]], draw.units[own]


def _sample(draw: DrawViews, *, seed: int) -> DrawViews:
    """Return a seeded sample of the views if there are too many to compare all their distances."""
    if len(draw.at) <= RSA_IMAGES:
        return draw
    rng = np.random.default_rng((seed, 1))
    kept = np.sort(rng.choice(len(draw.at), size=RSA_IMAGES, replace=False))
    return DrawViews(at=draw.at[kept], units=draw.units[kept], norms=draw.norms[kept])


def _mean_of(draws: Sequence[Sequence[float]]) -> Float64[np.ndarray, " measures"]:
    """Return the mean over the draws where a measure is defined; NaN where it is in none."""
    table = np.array(draws, np.float64)
    known = ~np.isnan(table)
    totals = np.where(known, table, 0.0).sum(axis=0)
    return np.divide(totals, known.sum(axis=0), out=np.full(table.shape[1], np.nan), where=known.any(axis=0))


def _chance(
    pairs: Pairs,
    draws: Sequence[DrawViews],
    permuted: Callable[..., Float64[np.ndarray, " orders"]],
    *,
    permutations: int,
    level: float,
    seed: int,
) -> tuple[float, float, float]:
    """Return the mean over permutations, and their range; every permutation is averaged over draws."""
    found = list[Float64[np.ndarray, " orders"]]()
    for draw in draws:
        rng = np.random.default_rng(seed)
        orders = [rng.permutation(len(draw.at)) for _ in range(permutations)]
        found.append(permuted(pairs.units[draw.at], draw.units, orders=orders))
    values = np.mean(found, axis=0)
    return (float(values.mean()), *chance_range(values, level=level))


def _permuted_procrustes(
    one: Float64[np.ndarray, "images dim"], other: Float64[np.ndarray, "images dim"], *, orders: Orders
) -> Float64[np.ndarray, " orders"]:
    first, second = scale_to_one(one), scale_to_one(other)
    if np.isnan(first).any() or np.isnan(second).any():
        return np.full(len(orders), np.nan)
    return permuted_procrustes(first, second, orders=orders)


def _permuted_rsa(
    one: Float64[np.ndarray, "images dim"], other: Float64[np.ndarray, "images dim"], *, orders: Orders
) -> Float64[np.ndarray, " orders"]:
    first, second = distance_ranks(one), distance_ranks(other)
    if len(one) < 3 or not first.any() or not second.any():
        return np.full(len(orders), np.nan)
    return permuted_rsa(first, second, orders=orders)


def _notes(pairs: Pairs, *, permutations: int, level: float) -> tuple[str, ...]:
    notes = [
        f"chance: mean and {100 * level:g} % range of {permutations} permutations of the views",
        "intervals: jackknife over images, on Fisher's scale; linear_cka and procrustes have none, since they"
        " depend on the number of images: compare runs of as many images, unbiased_cka, and chance values",
    ]
    if len(pairs) > RSA_IMAGES:
        notes.append(f"rsa uses a seeded sample of {RSA_IMAGES:,} images")
    dim = pairs.units.shape[1]
    if len(pairs) <= dim:
        notes.append(
            f"{len(pairs):,} images in {dim:,} dimensions: a rotation aligns almost anything; compare"
            " procrustes with its chance value"
        )
    return tuple(notes)
